# The INT8 model as a QDQ ONNX file: where it goes, what is copied, the same bytes on every machine.
need_tiny
cp -r "$GOLDEN/tiny-bert/gelu-f32" tiny && cp "$DATA/vocab.txt" tiny
printf 'hello world\nthe cafe\nhow do i reset my password\n' > texts
quantize() { minnow quantize --model tiny --texts texts --rounding nearest "$@"; }
quantize --to onnx -o hub/ | grep -v ' s$'
find hub -type f | sort
quantize -o alone/q.onnx --json | sed 's/"calibration".*"files"/"files"/'
cmp hub/onnx/model_quantized.onnx alone/q.onnx && cmp alone/q.onnx "$GOLDEN/onnx/bert_minnow_qdq.onnx"
quantize --to onnx -o - | cmp - alone/q.onnx
quantize --to onnx -o hub > /dev/null && cmp hub/onnx/model_quantized.onnx alone/q.onnx
minnow inspect alone/q.onnx --summary
minnow embed --model hub 'hello world' | cut -c 1-90
# A name that ends otherwise, and the other form under an ONNX file's name.
quantize --to onnx -o q.bin > /dev/null && cmp q.bin alone/q.onnx && rm config.json
quantize --to minnow -o m.onnx > /dev/null && minnow inspect m.onnx --summary | head -n 1
# What is there already and differs.
echo '{}' > alone/config.json
code quantize -o alone/q.onnx
code quantize -o alone/q.onnx --force > /dev/null && cmp alone/config.json tiny/config.json
code quantize --to minnow -o hub
code quantize --to onnx -o tiny/vocab.txt
code quantize --to minnow -o m.minnow --force
for embedding in int8 fp16 mixed int8-per-tensor; do
    quantize -o tables/$embedding.onnx --embedding $embedding > /dev/null && stat -c '%s %n' tables/$embedding.onnx
done
for inputs in per-tensor per-channel; do
    quantize -o tables/$inputs.onnx --ln-inputs $inputs > /dev/null && stat -c '%s %n' tables/$inputs.onnx
done
