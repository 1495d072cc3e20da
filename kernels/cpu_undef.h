// Ends an instantiation of the CPU kernels: forgets what cpu_isa.h and cpu_acoustic2d.h defined for it.
#undef LANES_FROM
#undef IVEC
#undef VEC
#undef VECU
#undef INLINE
#undef TILE
#undef LOAD
#undef LOADU
#undef LOADRUN
#undef RUN
#undef STORE
#undef REAL
#undef LANES
#undef LANE_INDEX
#undef ROWS
#undef PLANES
#undef NAME
