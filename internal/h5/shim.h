// What gonum.org/v1/hdf5 lacks or does unsafely, as thin wrappers over libhdf5. Every function must run on the thread
// of the package's worker. A function returns a negative number on failure; h5x_error then tells libhdf5's reason.

#ifndef GOFWI_H5_SHIM_H
#define GOFWI_H5_SHIM_H

#include <stddef.h>
#include <hdf5.h>

enum { H5X_MAX_RANK = 32 };

// What an object path leads to.
enum { H5X_MISSING = 0, H5X_GROUP, H5X_DATASET, H5X_TYPE, H5X_SOFT, H5X_OUTSIDE };

// How stored numbers are handed over.
enum { H5X_FLOAT32 = 0, H5X_FLOAT64, H5X_INT64, H5X_STORED };

typedef struct {
  int kind;                  // H5X_GROUP, ...
  unsigned long long addr;   // the same object reached twice has the same address
  unsigned long long nattrs;
} h5x_object;

typedef struct {
  int rank;      // 0: a scalar
  int null;      // 1: no elements at all (H5S_NULL)
  hsize_t dims[H5X_MAX_RANK];
} h5x_extent;

typedef struct {
  int class;     // H5T_class_t
  size_t size;   // bytes of an element in the file
  int big;       // 1: big-endian
  int is_signed;
  int varlen;    // 1: variable-length string
  int utf8;
  int padding;   // H5T_str_t of a fixed-length string
} h5x_type;

typedef struct {
  int layout;                // H5D_layout_t
  int external;              // raw data in other files
  unsigned long long stored; // bytes in the file
  hsize_t chunk[H5X_MAX_RANK];
  int nfilters;
  int filter[8];
  unsigned level;            // of gzip
  int missing;               // number of a filter that this libhdf5 lacks, or 0
  char missing_name[64];
} h5x_storage;

// The bytes of a file that is being written.
typedef struct {
  unsigned char *bytes;
  size_t room;
} h5x_image;

int h5x_start(void);
void h5x_error(char *text, size_t size);

int h5x_kind(hid_t file, const char *path);
int h5x_link(hid_t group, const char *name, int *kind, char *target, size_t size);
int h5x_describe(hid_t group, const char *name, h5x_object *out);
int h5x_dataset_extent(hid_t dataset, h5x_extent *out);
int h5x_dataset_type(hid_t dataset, h5x_type *out);
int h5x_dataset_storage(hid_t dataset, h5x_storage *out);

int h5x_read(hid_t dataset, int as, int rank, const hsize_t *start, const hsize_t *stride, const hsize_t *count,
             void *out);
int h5x_read_text(hid_t dataset, void *out);
int h5x_free_text(hid_t dataset, void *varlen);

hid_t h5x_attr_open(hid_t file, const char *path, const char *name, int *exists);
hid_t h5x_attr_open_index(hid_t group, const char *name, unsigned long long index);
long h5x_attr_name(hid_t attr, char *name, size_t size);
void h5x_attr_close(hid_t attr);
int h5x_attr_extent(hid_t attr, h5x_extent *out);
int h5x_attr_type(hid_t attr, h5x_type *out);
int h5x_attr_read(hid_t attr, int as, void *out);
int h5x_attr_read_text(hid_t attr, void *out);
int h5x_attr_free_text(hid_t attr, void *varlen);

hid_t h5x_create_file(h5x_image *image);
long long h5x_close_file(hid_t file, const h5x_image *image);
void h5x_free_image(h5x_image *image);
int h5x_create_group(hid_t file, const char *path);
int h5x_write(hid_t file, const char *path, int as, size_t text, int rank, const hsize_t *dims, const hsize_t *chunk,
              int gzip, const void *data);
int h5x_write_attr(hid_t file, const char *path, const char *name, int as, size_t text, int rank, const hsize_t *dims,
                   const void *data);

#endif
