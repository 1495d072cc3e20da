#include "shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// h5x_start silences the error printing of the calling thread and forbids external links: they would lead into files
// that no child process has looked at.
int h5x_start(void) {
  if (H5Eset_auto2(H5E_DEFAULT, NULL, NULL) < 0) return -1;
  if (H5Lis_registered(H5L_TYPE_EXTERNAL) > 0 && H5Lunregister(H5L_TYPE_EXTERNAL) < 0) return -1;
  return 0;
}

// The innermost reason of the last failure, the one closest to the cause. Closing a handle clears libhdf5's own record
// of it, so owned handles save it first.
static char reason[512];

static herr_t keep_reason(unsigned n, const H5E_error2_t *e, void *data) {
  (void)n, (void)data;
  if (e->desc && e->desc[0]) snprintf(reason, sizeof reason, "%s", e->desc);
  return 0;
}

static void save_reason(void) {
  if (H5Eget_num(H5E_DEFAULT) > 0) H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_reason, NULL);
}

void h5x_error(char *text, size_t size) {
  save_reason();
  snprintf(text, size, "%s", reason);
  reason[0] = 0;
  H5Eclear2(H5E_DEFAULT);
}

// A handle declared OWNED is closed when its block ends.
static void release(hid_t *id) {
  if (*id <= 0) return;
  save_reason();
  H5Idec_ref(*id);
}
#define OWNED __attribute__((cleanup(release))) hid_t

static int object_kind(hid_t object) {
  switch (H5Iget_type(object)) {
  case H5I_GROUP:
  case H5I_FILE:
    return H5X_GROUP;
  case H5I_DATASET:
    return H5X_DATASET;
  case H5I_DATATYPE:
    return H5X_TYPE;
  default:
    return -1;
  }
}

// h5x_kind tells what an absolute path leads to; H5X_MISSING where it leads nowhere.
int h5x_kind(hid_t file, const char *path) {
  if (strcmp(path, "/") == 0) return H5X_GROUP;
  char *prefix = strdup(path);
  if (!prefix) return -1;
  for (char *p = prefix + 1;; p++) {
    if (*p != '/' && *p != 0) continue;
    char end = *p;
    *p = 0;
    if (H5Lexists(file, prefix, H5P_DEFAULT) <= 0 || H5Oexists_by_name(file, prefix, H5P_DEFAULT) <= 0) {
      free(prefix);
      return H5X_MISSING;
    }
    if (end == 0) break;
    *p = end;
  }
  free(prefix);
  OWNED object = H5Oopen(file, path, H5P_DEFAULT);
  return object < 0 ? -1 : object_kind(object);
}

// h5x_link tells whether name is a hard link (kind 0), or H5X_SOFT or H5X_OUTSIDE, and where a soft link points.
int h5x_link(hid_t group, const char *name, int *kind, char *target, size_t size) {
  H5L_info_t info;
  if (size) target[0] = 0;
  if (H5Lget_info(group, name, &info, H5P_DEFAULT) < 0) return -1;
  *kind = 0;
  if (info.type == H5L_TYPE_HARD) return 0;
  if (info.type != H5L_TYPE_SOFT) {
    *kind = H5X_OUTSIDE;
    return 0;
  }
  *kind = H5X_SOFT;
  if (info.u.val_size < size) {
    if (H5Lget_val(group, name, target, size, H5P_DEFAULT) < 0) return -1;
    target[size - 1] = 0;
  }
  return 0;
}

int h5x_describe(hid_t group, const char *name, h5x_object *out) {
  OWNED object = H5Oopen(group, name, H5P_DEFAULT);
  if (object < 0) return -1;
  H5O_info_t info;
  if (H5Oget_info(object, &info) < 0) return -1;
  out->kind = object_kind(object);
  out->addr = info.addr;
  out->nattrs = info.num_attrs;
  return out->kind < 0 ? -1 : 0;
}

static int extent(hid_t space, h5x_extent *out) {
  memset(out, 0, sizeof *out);
  H5S_class_t class = H5Sget_simple_extent_type(space);
  if (class == H5S_NO_CLASS) return -1;
  if (class == H5S_NULL) {
    out->null = 1;
    return 0;
  }
  int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > H5X_MAX_RANK) return -1;
  out->rank = rank;
  if (rank == 0) return 0;
  return H5Sget_simple_extent_dims(space, out->dims, NULL) == rank ? 0 : -1;
}

int h5x_dataset_extent(hid_t dataset, h5x_extent *out) {
  OWNED space = H5Dget_space(dataset);
  return space < 0 ? -1 : extent(space, out);
}

static int type_of(hid_t type, h5x_type *out) {
  memset(out, 0, sizeof *out);
  out->class = H5Tget_class(type);
  out->size = H5Tget_size(type);
  if (out->class < 0 || out->size == 0) return -1;
  if (out->class == H5T_INTEGER || out->class == H5T_FLOAT || out->class == H5T_ENUM) {
    out->big = H5Tget_order(type) == H5T_ORDER_BE;
  }
  if (out->class == H5T_INTEGER) out->is_signed = H5Tget_sign(type) == H5T_SGN_2;
  if (out->class == H5T_STRING) {
    htri_t varlen = H5Tis_variable_str(type);
    if (varlen < 0) return -1;
    out->varlen = varlen > 0;
    out->utf8 = H5Tget_cset(type) == H5T_CSET_UTF8;
    out->padding = H5Tget_strpad(type);
  }
  return 0;
}

int h5x_dataset_type(hid_t dataset, h5x_type *out) {
  OWNED type = H5Dget_type(dataset);
  return type < 0 ? -1 : type_of(type, out);
}

int h5x_dataset_storage(hid_t dataset, h5x_storage *out) {
  memset(out, 0, sizeof *out);
  OWNED plist = H5Dget_create_plist(dataset);
  if (plist < 0) return -1;
  out->layout = H5Pget_layout(plist);
  if (out->layout < 0) return -1;
  out->stored = out->layout == H5D_VIRTUAL ? 0 : H5Dget_storage_size(dataset);
  if (out->layout == H5D_CHUNKED && H5Pget_chunk(plist, H5X_MAX_RANK, out->chunk) < 0) return -1;
  int external = H5Pget_external_count(plist);
  if (external < 0) return -1;
  out->external = external > 0;
  int n = H5Pget_nfilters(plist);
  if (n < 0) return -1;
  out->nfilters = n < 8 ? n : 8;
  for (int i = 0; i < n; i++) {
    unsigned flags, config, values[1] = {0};
    size_t nvalues = 1;
    char name[64] = "";
    H5Z_filter_t filter = H5Pget_filter2(plist, (unsigned)i, &flags, &nvalues, values, sizeof name, name, &config);
    if (filter < 0) return -1;
    if (i < 8) out->filter[i] = filter;
    if (filter == H5Z_FILTER_DEFLATE) out->level = values[0];
    if (H5Zfilter_avail(filter) <= 0 && !out->missing) {
      out->missing = filter;
      name[sizeof name - 1] = 0;
      memcpy(out->missing_name, name, sizeof name);
    }
  }
  return 0;
}

// The type of numbers in memory. The caller closes it.
static hid_t memory_type(int as, hid_t stored) {
  switch (as) {
  case H5X_FLOAT32:
    return H5Tcopy(H5T_NATIVE_FLOAT);
  case H5X_FLOAT64:
    return H5Tcopy(H5T_NATIVE_DOUBLE);
  case H5X_INT64:
    return H5Tcopy(H5T_NATIVE_INT64);
  default:
    return H5Tcopy(stored);
  }
}

// A conversion to whole numbers that would change a value is refused.
static H5T_conv_ret_t exact_only(H5T_conv_except_t what, hid_t from, hid_t to, void *in, void *out, void *user) {
  (void)what, (void)from, (void)to, (void)in, (void)out, (void)user;
  return H5T_CONV_ABORT;
}

// h5x_read reads a strided block, or with a null start everything, into out.
int h5x_read(hid_t dataset, int as, int rank, const hsize_t *start, const hsize_t *stride, const hsize_t *count,
             void *out) {
  OWNED stored = H5Dget_type(dataset);
  if (stored < 0) return -1;
  OWNED type = memory_type(as, stored);
  OWNED plist = H5Pcreate(H5P_DATASET_XFER);
  if (type < 0 || plist < 0) return -1;
  if (as == H5X_INT64 && H5Pset_type_conv_cb(plist, exact_only, NULL) < 0) return -1;
  if (!start || rank == 0) return H5Dread(dataset, type, H5S_ALL, H5S_ALL, plist, out);
  OWNED file = H5Dget_space(dataset);
  OWNED memory = H5Screate_simple(rank, count, NULL);
  if (file < 0 || memory < 0) return -1;
  if (H5Sselect_hyperslab(file, H5S_SELECT_SET, start, stride, count, NULL) < 0) return -1;
  return H5Dread(dataset, type, memory, file, plist, out);
}

// The type that keeps strings as they are stored, with libhdf5's own terminators.
static hid_t text_type(hid_t stored) {
  htri_t varlen = H5Tis_variable_str(stored);
  if (varlen < 0) return -1;
  hid_t type = H5Tcopy(H5T_C_S1);
  if (type < 0) return -1;
  if (H5Tset_size(type, varlen ? H5T_VARIABLE : H5Tget_size(stored)) < 0 ||
      H5Tset_cset(type, H5Tget_cset(stored)) < 0 || (!varlen && H5Tset_strpad(type, H5Tget_strpad(stored)) < 0)) {
    release(&type);
    return -1;
  }
  return type;
}

// h5x_read_text reads all strings: of fixed length one after the other into a char array, of variable length as
// pointers that h5x_free_text gives back.
int h5x_read_text(hid_t dataset, void *out) {
  OWNED stored = H5Dget_type(dataset);
  if (stored < 0) return -1;
  OWNED type = text_type(stored);
  return type < 0 ? -1 : H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
}

int h5x_free_text(hid_t dataset, void *varlen) {
  OWNED stored = H5Dget_type(dataset);
  OWNED space = H5Dget_space(dataset);
  if (stored < 0 || space < 0) return -1;
  OWNED type = text_type(stored);
  return type < 0 ? -1 : H5Dvlen_reclaim(type, space, H5P_DEFAULT, varlen);
}

// h5x_attr_open sets exists to 0 and returns 0 where there is no such attribute.
hid_t h5x_attr_open(hid_t file, const char *path, const char *name, int *exists) {
  *exists = 0;
  htri_t found = H5Aexists_by_name(file, path, name, H5P_DEFAULT);
  if (found < 0) return -1;
  if (found == 0) return 0;
  *exists = 1;
  return H5Aopen_by_name(file, path, name, H5P_DEFAULT, H5P_DEFAULT);
}

hid_t h5x_attr_open_index(hid_t group, const char *name, unsigned long long index) {
  return H5Aopen_by_idx(group, name, H5_INDEX_NAME, H5_ITER_INC, index, H5P_DEFAULT, H5P_DEFAULT);
}

long h5x_attr_name(hid_t attr, char *name, size_t size) { return H5Aget_name(attr, size, name); }

void h5x_attr_close(hid_t attr) { H5Aclose(attr); }

int h5x_attr_extent(hid_t attr, h5x_extent *out) {
  OWNED space = H5Aget_space(attr);
  return space < 0 ? -1 : extent(space, out);
}

int h5x_attr_type(hid_t attr, h5x_type *out) {
  OWNED type = H5Aget_type(attr);
  return type < 0 ? -1 : type_of(type, out);
}

int h5x_attr_read(hid_t attr, int as, void *out) {
  OWNED stored = H5Aget_type(attr);
  if (stored < 0) return -1;
  OWNED type = memory_type(as, stored);
  return type < 0 ? -1 : H5Aread(attr, type, out);
}

int h5x_attr_read_text(hid_t attr, void *out) {
  OWNED stored = H5Aget_type(attr);
  if (stored < 0) return -1;
  OWNED type = text_type(stored);
  return type < 0 ? -1 : H5Aread(attr, type, out);
}

int h5x_attr_free_text(hid_t attr, void *varlen) {
  OWNED stored = H5Aget_type(attr);
  OWNED space = H5Aget_space(attr);
  if (stored < 0 || space < 0) return -1;
  OWNED type = text_type(stored);
  return type < 0 ? -1 : H5Dvlen_reclaim(type, space, H5P_DEFAULT, varlen);
}

// The callbacks of a file in memory. They keep the bytes when libhdf5 closes the file and would free them.

static void *image_malloc(size_t size, H5FD_file_image_op_t op, void *user) {
  (void)op;
  h5x_image *image = user;
  image->bytes = malloc(size);
  image->room = image->bytes ? size : 0;
  return image->bytes;
}

static void *image_realloc(void *bytes, size_t size, H5FD_file_image_op_t op, void *user) {
  (void)op;
  h5x_image *image = user;
  void *moved = realloc(bytes, size);
  if (!moved) return NULL;
  image->bytes = moved;
  image->room = size;
  return moved;
}

static herr_t image_free(void *bytes, H5FD_file_image_op_t op, void *user) {
  (void)bytes, (void)op, (void)user;
  return 0;
}

static void *image_user(void *user) { return user; }

static herr_t image_user_free(void *user) {
  (void)user;
  return 0;
}

// h5x_create_file makes a file whose bytes are collected in image, which must outlive it. It asks for the format of
// HDF5 1.10, whose headers and indexes all carry checksums, and for no time stamps, so that the same content gives the
// same bytes.
hid_t h5x_create_file(h5x_image *image) {
  OWNED access = H5Pcreate(H5P_FILE_ACCESS);
  OWNED create = H5Pcreate(H5P_FILE_CREATE);
  if (access < 0 || create < 0) return -1;
  H5FD_file_image_callbacks_t callbacks = {
      .image_malloc = image_malloc,
      .image_realloc = image_realloc,
      .image_free = image_free,
      .udata_copy = image_user,
      .udata_free = image_user_free,
      .udata = image,
  };
  const size_t grow_by = 1 << 20;
  if (H5Pset_fapl_core(access, grow_by, 0) < 0 || H5Pset_file_image_callbacks(access, &callbacks) < 0) return -1;
  if (H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_LATEST) < 0) return -1;
  if (H5Pset_obj_track_times(create, 0) < 0) return -1;
  // A name that no file can have: libhdf5 would read a file of that name.
  return H5Fcreate("/dev/null/in memory", H5F_ACC_TRUNC, create, access);
}

// h5x_close_file returns the number of bytes of image that are the file.
long long h5x_close_file(hid_t file, const h5x_image *image) {
  if (H5Fclose(file) < 0) return -1;
  // The address of the end of the file stands in the superblock (version 2 and 3) after 28 bytes.
  unsigned long long end = 0;
  if (image->room < 48 || image->bytes[8] < 2) return -1;
  for (int i = 7; i >= 0; i--) end = end << 8 | image->bytes[28 + i];
  return end <= image->room ? (long long)end : -1;
}

void h5x_free_image(h5x_image *image) {
  free(image->bytes);
  image->bytes = NULL;
  image->room = 0;
}

int h5x_create_group(hid_t file, const char *path) {
  OWNED create = H5Pcreate(H5P_GROUP_CREATE);
  if (create < 0 || H5Pset_obj_track_times(create, 0) < 0) return -1;
  OWNED group = H5Gcreate2(file, path, H5P_DEFAULT, create, H5P_DEFAULT);
  return group < 0 ? -1 : 0;
}

// The little-endian type in the file, or a string of fixed length. The caller closes it.
static hid_t file_type(int as, size_t text) {
  if (text) {
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type < 0 || H5Tset_size(type, text) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0 ||
        H5Tset_strpad(type, H5T_STR_NULLPAD) < 0) {
      return -1;
    }
    return type;
  }
  switch (as) {
  case H5X_FLOAT32:
    return H5Tcopy(H5T_IEEE_F32LE);
  case H5X_FLOAT64:
    return H5Tcopy(H5T_IEEE_F64LE);
  default:
    return H5Tcopy(H5T_STD_I64LE);
  }
}

// h5x_write makes a data set and fills it. Without chunk the values go into the checksummed object header; with it
// every chunk is shuffled and compressed (gzip > 0) and carries a Fletcher checksum.
int h5x_write(hid_t file, const char *path, int as, size_t text, int rank, const hsize_t *dims, const hsize_t *chunk,
              int gzip, const void *data) {
  OWNED type = file_type(as, text);
  OWNED memory = text ? file_type(as, text) : memory_type(as, type);
  OWNED space = rank ? H5Screate_simple(rank, dims, NULL) : H5Screate(H5S_SCALAR);
  OWNED create = H5Pcreate(H5P_DATASET_CREATE);
  if (type < 0 || memory < 0 || space < 0 || create < 0) return -1;
  if (H5Pset_obj_track_times(create, 0) < 0) return -1;
  if (chunk) {
    if (H5Pset_chunk(create, rank, chunk) < 0) return -1;
    if (gzip && (H5Pset_shuffle(create) < 0 || H5Pset_deflate(create, (unsigned)gzip) < 0)) return -1;
    if (H5Pset_fletcher32(create) < 0) return -1;
    if (H5Pset_fill_time(create, H5D_FILL_TIME_NEVER) < 0) return -1;
  } else if (H5Pset_layout(create, H5D_COMPACT) < 0) {
    return -1;
  }
  OWNED dataset = H5Dcreate2(file, path, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
  if (dataset < 0) return -1;
  if (data && H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) return -1;
  int rc = H5Dclose(dataset);
  dataset = -1;
  return rc;
}

// h5x_write_attr replaces an attribute of the same name.
int h5x_write_attr(hid_t file, const char *path, const char *name, int as, size_t text, int rank, const hsize_t *dims,
                   const void *data) {
  htri_t found = H5Aexists_by_name(file, path, name, H5P_DEFAULT);
  if (found < 0) return -1;
  if (found > 0 && H5Adelete_by_name(file, path, name, H5P_DEFAULT) < 0) return -1;
  OWNED type = file_type(as, text);
  OWNED memory = text ? file_type(as, text) : memory_type(as, type);
  OWNED space = rank ? H5Screate_simple(rank, dims, NULL) : H5Screate(H5S_SCALAR);
  if (type < 0 || memory < 0 || space < 0) return -1;
  OWNED attr = H5Acreate_by_name(file, path, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  if (attr < 0) return -1;
  if (data && H5Awrite(attr, memory, data) < 0) return -1;
  int rc = H5Aclose(attr);
  attr = -1;
  return rc;
}
