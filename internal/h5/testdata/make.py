"""Makes the HDF5 files of this folder with h5py, as another program would write them. Run it in this folder."""
import h5py
import numpy as np

with h5py.File('h5py.h5', 'w', libver='earliest') as f:
    f.attrs['title'] = 'Übung'  # variable-length utf-8
    f.attrs['fixed'] = np.bytes_(b'abc')  # fixed, null padded
    f.attrs.create('padded', np.array(b'ab', dtype='S6'))
    f.attrs['flag'] = True  # enum
    f.attrs['dz'] = np.float32(12.5)
    f.attrs.create('big', np.array([1.5, -2.5], dtype='>f8'))
    f.attrs['count'] = np.int16(-7)
    f.attrs['huge'] = np.uint64(2**64-1)
    f.attrs['names'] = ['vp', 'rho']
    f.attrs['nothing'] = h5py.Empty('f4')
    f.attrs['pair'] = np.array((1, 2.0), dtype=[('a', 'i4'), ('b', 'f8')])
    m = f.create_group('model')
    a = np.arange(12.).reshape(3, 4)+0.25
    m.create_dataset('f64', data=a)
    m.create_dataset('f64be', data=a.astype('>f8'))
    m.create_dataset('f32be', data=a.astype('>f4'))
    m.create_dataset('f16', data=a.astype('f2'))
    m.create_dataset('i16', data=(np.arange(12).reshape(3, 4)-6).astype('i2'))
    m.create_dataset('u8be', data=np.array([0, 255], dtype='u1'))
    m.create_dataset('u64', data=np.array([1, 2**64-1], dtype='u8'))
    m.create_dataset('i32be', data=np.array([-5, 7], dtype='>i4'))
    m.create_dataset('gz', data=a.astype('f4'), chunks=(2, 3), compression='gzip', shuffle=True)
    m.create_dataset('lzf', data=a.astype('f4'), chunks=(2, 3), compression='lzf')
    m.create_dataset('whole_floats', data=np.array([1., -3., 2.**52]))
    m.create_dataset('with_nan', data=np.array([1., np.nan, np.inf, 1e300]))
    m.create_dataset('scalar', data=3.5)
    m.create_dataset('empty', shape=(0, 4), dtype='f4')
    m.create_dataset('unwritten', shape=(4,), dtype='f4', fillvalue=7)
    f.create_dataset('text', data='variable')
    f.create_dataset('fixed_text', data=np.bytes_(b'fixed'))
    f.create_dataset('texts', data=['a', '', 'long one'])
    f.create_dataset('compound', data=np.zeros(2, dtype=[('a', 'i4'), ('b', 'f8')]))
    f['alias'] = h5py.SoftLink('/model/f64')
    f['dangling'] = h5py.SoftLink('/nowhere')
    f['elsewhere'] = h5py.ExternalLink('h5py.h5', '/model/f64')
    f['again'] = f['model']  # hard link
    m['loop'] = f['/']  # a cycle
with h5py.File('virtual.h5', 'w', libver=('earliest', 'v110')) as f:
    lay = h5py.VirtualLayout(shape=(3, 4), dtype='f8')
    lay[:] = h5py.VirtualSource('h5py.h5', 'model/f64', shape=(3, 4))
    f.create_virtual_dataset('vp', lay)
    f.create_dataset('outside', shape=(4,), dtype='f4', external=[('h5py.h5', 0, 16)])
with h5py.File('absurd.h5', 'w') as f:  # claims 4 TiB
    f.create_dataset('vp', shape=(1<<20, 1<<20), dtype='f4', chunks=(64, 64))
