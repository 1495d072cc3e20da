#define ISA baseline
#define BYTES 16
#include "cpu_isa.h"
