#!/bin/sh
# Reproduces docs/field-line.md: imports the field line, inverts it, and predicts a shot that the inversion did not see.
# Usage: bench/field/run.sh [OUT]    (from the repository's root; OUT is build/field by default)
set -e
line=../shared/data/viking_graben_line12_4shots.h5
out=${1:-build/field}
fwi=${FWI:-bin/fwi}
if [ ! -f "$line" ]; then
	echo "skipped: $line is not there"
	exit 0
fi
mkdir -p "$out"
common="--dx 12.5 --depth 2000 --wavelet data --from-3d --normalise --config bench/field/viking.yaml --overwrite"

"$fwi" import "$line" "$out/line.h5" --start first-arrivals $common
"$fwi" run "$out/line.h5" --out "$out/result" --overwrite --quiet

echo "--- the third shot, predicted from the other three"
"$fwi" import "$line" "$out/three.h5" --start first-arrivals --shots 1,2,4 $common
"$fwi" import "$line" "$out/third.h5" --start "$out/line.h5" --shots 3 --wavelet data --from-3d --normalise --config bench/field/viking.yaml --overwrite
"$fwi" run "$out/three.h5" --out "$out/three" --overwrite --quiet | tail -n 3
"$fwi" import "$out/three/result.h5" "$out/predictor.h5" --dataset /vp --overwrite >/dev/null
# its first iteration begins with the predicted data: "at the start" is the prediction
"$fwi" run "$out/third.h5" --start "$out/predictor.h5" --iterations 1 --out "$out/third" --overwrite --quiet | grep "^fit of the data"
