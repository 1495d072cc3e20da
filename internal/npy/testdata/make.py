"""Makes the .npy files of this folder with numpy. Run it in this folder."""
import numpy as np

a = np.arange(24).reshape(2, 3, 4) - 7
for t in ("<f4", ">f4", "<f8", ">f8", "<i2", ">i2", "<i4", ">i4", "<i8", "|i1"):
    np.save(t.replace("<", "little_").replace(">", "big_").replace("|", "") + ".npy", a.astype(t))
np.save("fortran.npy", np.asfortranarray(a.astype("f4")))
np.save("fortran2d.npy", np.asfortranarray(a[0].astype("f8")))
np.save("vector.npy", np.array([1.5, -2]))
with open("version2.npy", "wb") as f:
    np.lib.format.write_array(f, a.astype("f4"), version=(2, 0))
np.save("scalar.npy", np.float32(3))
np.save("structured.npy", np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]))
np.save("complex.npy", np.zeros(2, dtype="c8"))
