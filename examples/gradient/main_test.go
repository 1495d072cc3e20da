package main

func Example() {
	main()
	// Output:
	// the misfit falls towards the truth: true
	// gradient over finite difference: 1.00
}
