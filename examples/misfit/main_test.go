package main

func Example() {
	main()
	// Output:
	// start          model error 46 m/s
	// least squares  model error 35 m/s
	// Huber          model error 18 m/s
}
