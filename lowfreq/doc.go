// Package lowfreq is for a network that extends recorded data to the low frequencies that the source did not emit. It holds no code
// yet.
package lowfreq
