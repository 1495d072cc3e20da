// Package cuda steps batches of shots on NVIDIA GPUs: devices, their memory, and solvers with the arithmetic and the meaning of
// kernels.Solver, whose fields and snapshots stay on the device.
//
// The kernels are in acoustic.cu; the package embeds them as PTX, which the driver compiles for its device (make ptx renews it).
// It reaches the driver in builds with the tag cuda alone (make cuda); in others Devices says so. Tests run the same kernels on the CPU through a
// driver of their own (folder fake).
package cuda
