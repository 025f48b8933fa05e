cp "$GOLDEN/../fuzz/corpus/fuzz_model/mixed.minnow" m.minnow
minnow inspect m.minnow
echo
minnow inspect --summary m.minnow | tail -n 7
minnow inspect --json m.minnow
minnow inspect --json --summary m.minnow
# Told apart by its first bytes, whatever it is called.
cp m.minnow model.onnx
minnow inspect --summary model.onnx | head -n 2
for option in --dot --values --dims=a=1; do code minnow inspect $option m.minnow; done
head -c 2000 m.minnow > cut.minnow
code minnow inspect cut.minnow
{ head -c 3839 m.minnow && printf 'x'; } > changed.minnow
code minnow inspect changed.minnow
