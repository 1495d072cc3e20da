package kernels_test

// Every equation that is imported here passes the tests of this package: they loop over the table.
import _ "gofwi/examples/equation/damped"
