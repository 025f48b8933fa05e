# What cannot be calibrated or quantized is an error that names the place, and leaves no file.
need_tiny
cp -r "$GOLDEN/tiny-bert/gelu-f32" tiny && cp "$DATA/vocab.txt" tiny
printf 'hello world\nthe cafe\n' > texts
: > empty
printf '\n \n\n' > blank
both() {
    code minnow calibrate "$@" -o out.json
    code minnow quantize "$@" -o out.minnow
}
both --model tiny --texts empty
both --model tiny --texts blank
both --model tiny --texts nowhere
printf '"hello"\n{"no": "text"}\n' > bad.jsonl
both --model tiny --texts bad.jsonl
# A NaN and an infinity in the weights: word 7, and the first bias of a norm.
header=$(od -An -tu8 -N8 tiny/model.safetensors)
patch() { cp -r tiny "$1" && printf "$3" | dd of="$1/model.safetensors" bs=1 seek=$((8 + header + $2)) conv=notrunc status=none; }
patch nan $((672 + 7 * 48)) '\0\0\300\177'
patch inf 2592 '\0\0\200\177'
both --model nan --texts texts
both --model inf --texts texts
# No encoder; an encoder of another kind, with the node that stopped it.
graphs=$GOLDEN/../fuzz/corpus/fuzz_onnx
cp "$graphs/constants.onnx" . && both --model constants.onnx --tokenizer "$DATA/vocab.txt" --texts texts
cp -r "$GOLDEN/tiny-bert/relu-f16" relu && both --model relu --tokenizer "$DATA/vocab.txt" --texts texts
# Files that do not belong together.
code minnow calibrate --model tiny --texts texts -o ranges.json > /dev/null
cp -r tiny other && printf '\1' | dd of=other/model.safetensors bs=1 seek=$((8 + header + 672)) conv=notrunc status=none
code minnow quantize --model other --texts texts --ranges ranges.json -o out.minnow
code minnow quantize --model tiny --texts texts --ranges texts -o out.minnow
code minnow quantize --model tiny --texts texts --ranges nowhere.json -o out.minnow
for i in $(seq 50); do echo "token$i"; done >> other/vocab.txt
both --model other --texts texts
minnow quantize --model tiny --texts texts -o m.minnow > /dev/null
both --model m.minnow --texts texts
both --model "$GOLDEN/tiny-bert/gelu-f32" --texts texts 2>&1 | sed "s|$GOLDEN|GOLDEN|"
both --model tiny --texts texts --max-tokens 11
both --model tiny --texts texts --site layer.7.key=mse
# Outputs.
code minnow quantize --model tiny --texts texts -o no/such/folder
code minnow quantize --model tiny --texts texts -o tiny
code minnow quantize --model tiny --texts texts -o nowhere/
code minnow quantize --model tiny --texts texts -o tiny/../tiny/model.safetensors
code minnow quantize --model tiny --texts texts -o /dev/full
code minnow calibrate --model tiny --texts texts -o /dev/full
cmp tiny/model.safetensors "$GOLDEN/tiny-bert/gelu-f32/model.safetensors" && ls
