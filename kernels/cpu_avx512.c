//go:build amd64

#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")
#define ISA avx512
#define BYTES 64
#include "cpu_isa.h"
