"""Makes the SEG-Y files of this folder with segyio, as another program would write them. Run it in this folder."""
import numpy as np
import segyio
from segyio import BinField as B
from segyio import TraceField as T


def make(path, sample_format, endian):
    spec = segyio.spec()
    spec.format, spec.samples, spec.tracecount, spec.endian = sample_format, np.arange(20) * 4.0, 6, endian
    with segyio.create(path, spec) as f:
        f.text[0] = segyio.tools.create_text_header({1: "two shots of three receivers", 2: "written by segyio"})
        f.bin.update({B.Interval: 4000, B.Samples: 20, B.MeasurementSystem: 1})
        for i in range(6):
            shot, receiver = divmod(i, 3)
            x = 300000 + 2500 * shot  # centimetres
            f.header[i] = {
                T.TRACE_SEQUENCE_LINE: i + 1, T.TRACE_SEQUENCE_FILE: i + 1, T.FieldRecord: 100 + shot,
                T.TraceNumber: receiver + 1, T.EnergySourcePoint: 7 + shot, T.CDP: 10 * shot + receiver,
                T.TraceIdentificationCode: 1, T.offset: -262 - 25 * receiver, T.ElevationScalar: -10, T.SourceDepth: 60,
                T.ReceiverGroupElevation: -100, T.SourceGroupScalar: -100, T.SourceX: x, T.SourceY: -5,
                T.GroupX: x - 26200 - 2500 * receiver, T.GroupY: 0, T.CDP_X: 1234, T.INLINE_3D: 3, T.CROSSLINE_3D: 4,
                T.TRACE_SAMPLE_COUNT: 20, T.TRACE_SAMPLE_INTERVAL: 4000, T.DelayRecordingTime: -8,
            }
            f.trace[i] = ((np.arange(20) - 7.5) * (i + 1)).astype("i2" if sample_format == 3 else "f4")


make("segyio_ibm.sgy", 1, "big")
make("segyio_ieee_little.sgy", 5, "little")
make("segyio_int16.sgy", 3, "big")
