package main

// The wave takes half a second from source to receiver: exp(-γ/4).
func Example() {
	main()
	// Output:
	// damping (1/s)   largest amplitude against none
	//             0   1.00
	//             1   0.78
	//             2   0.61
	//             4   0.37
}
