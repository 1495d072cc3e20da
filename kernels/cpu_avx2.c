//go:build amd64

#pragma GCC target("avx2,fma")
#define ISA avx2
#define BYTES 32
#include "cpu_isa.h"
