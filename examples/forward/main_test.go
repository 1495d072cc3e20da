package main

func Example() {
	main()
	// Output:
	// offset   direct wave (s)     reflection (s)
	//    (m)   rays   modelled     rays   modelled
	//    200   0.11       0.12     0.54       0.54
	//    400   0.22       0.23     0.58       0.58
	//    600   0.33       0.34     0.63       0.63
	//    800   0.44       0.45     0.69       0.69
}
