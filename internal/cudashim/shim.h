// Run-time binding of NVIDIA's driver library.
#ifndef GOFWI_CUDASHIM_H
#define GOFWI_CUDASHIM_H

#include <stddef.h>

// Loads the library and initialises the driver: 0, or an error with a message. Later calls return what the first did.
int shim_open(const char *library, char *message, int length);

// Functions that gorgonia.org/cu lacks; handles are opaque here, so that no cuda.h is needed. They return SHIM_MISSING where the driver
// is too old to have them.
enum { SHIM_MISSING = 500 };
int shim_host_alloc(void **p, size_t bytes);
int shim_host_free(void *p);
int shim_copy_to_host(void *to, unsigned long long from, size_t bytes, void *stream);
int shim_copy_to_device(unsigned long long to, const void *from, size_t bytes, void *stream);
int shim_begin_capture(void *stream);
int shim_end_capture(void *stream, void **graph);
int shim_instantiate(void **executable, void *graph);
int shim_launch_graph(void *executable, void *stream);
int shim_destroy_graph(void *graph);
int shim_destroy_executable(void *executable);
int shim_event_create(void **event);
int shim_event_destroy(void *event);
int shim_event_record(void *event, void *stream);
int shim_stream_wait(void *stream, void *event);
int shim_stream_create(void **stream);
int shim_stream_destroy(void *stream);
int shim_stream_synchronize(void *stream);

#endif
