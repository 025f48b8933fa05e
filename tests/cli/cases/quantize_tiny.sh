# export -> calibrate -> quantize -> embed on the small random model; the same bytes everywhere.
need_tiny
cp -r "$GOLDEN/tiny-bert/gelu-f32" tiny && cp "$DATA/vocab.txt" tiny
printf -- '---\nlicense: apache-2.0\n---\n' > tiny/README.md
printf 'how do i reset my password?\nhello world\na b c\n\nthe cafe\nhello hello hello hello hello hello hello hello hello\n' > texts
minnow export tiny -o hub/ > /dev/null && cp tiny/README.md hub
minnow calibrate --model hub/onnx/model.onnx --texts texts -o ranges.json | sed 's/[0-9]*\.[0-9] s/0.0 s/g'
minnow quantize --model hub/onnx/model.onnx --texts texts --ranges ranges.json --rounding nearest -o nearest.minnow | tail -n +2 | sed 's/[0-9]*\.[0-9] s/0.0 s/g'
minnow quantize --model hub/onnx/model.onnx --texts texts --ranges ranges.json --rounding gptq -o gptq.minnow --json | sed 's/"seconds":.*/.../'
sha256sum ranges.json nearest.minnow gptq.minnow
# Calibrating on the way is the same, as is the model as a folder, on every tier and with any number of threads.
minnow quantize --model hub --texts texts --rounding nearest -o same.minnow > /dev/null && cmp same.minnow nearest.minnow
for tier in scalar avx2 avx512 neon; do
    MINNOW_ISA=$tier minnow version > /dev/null 2>&1 || continue
    for threads in 1 3; do
        MINNOW_ISA=$tier minnow calibrate --model hub --texts texts --threads $threads -o same.json > /dev/null && cmp same.json ranges.json
        MINNOW_ISA=$tier minnow quantize --model hub --texts texts --ranges ranges.json --rounding nearest --threads $threads \
            -o same.minnow > /dev/null && cmp same.minnow nearest.minnow
        MINNOW_ISA=$tier minnow quantize --model hub --texts texts --ranges ranges.json --rounding gptq --threads $threads \
            -o same.minnow > /dev/null && cmp same.minnow gptq.minnow
    done
done && echo same
ls
