cp "$GOLDEN/../fuzz/corpus/fuzz_model/mixed.minnow" m.minnow
minnow inspect m.minnow
echo
minnow inspect --summary m.minnow | tail -n 7
minnow inspect --json m.minnow
minnow inspect --tokens 3 --threads 2 m.minnow | sed -n '/^memory/,/^inner/p'
minnow inspect --json --summary m.minnow
# Told apart by its first bytes, whatever it is called.
cp m.minnow model.onnx
minnow inspect --summary model.onnx | head -n 2
for option in --dot --values --dims=a=1; do code minnow inspect $option m.minnow; done
head -c 2000 m.minnow > cut.minnow
code minnow inspect cut.minnow
{ head -c 3839 m.minnow && printf 'x'; } > changed.minnow
code minnow inspect changed.minnow
code minnow inspect --tokens 5 m.minnow
for option in --tokens=0 --threads=257 --tokens=many; do code minnow inspect $option m.minnow; done
cp "$GOLDEN/onnx/bert_ts14.onnx" graph.onnx
code minnow inspect --tokens 3 graph.onnx
