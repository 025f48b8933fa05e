# Where ranges and models go, and what a model says of itself.
need_tiny
cp -r "$GOLDEN/tiny-bert/gelu-f32" tiny && cp "$DATA/vocab.txt" tiny
printf 'hello world\nthe cafe\n' > texts
name() { minnow inspect --json --summary "$1" | grep -o '"name":"[^"]*"\|"source":"[^"]*"'; }
# "-" is standard output, and nothing else goes there.
minnow calibrate --model tiny --texts texts -o ranges.json > /dev/null
minnow calibrate --model tiny --texts texts -o - | cmp - ranges.json
minnow quantize --model tiny --texts texts -o m.minnow > /dev/null
minnow quantize --model tiny --texts texts -o - | cmp - m.minnow
minnow quantize --model tiny --texts texts -o - --json | cmp - m.minnow
# The name of the model's folder, however it is reached; config.json's where that says nothing; the one that is given.
name m.minnow
(cd tiny && minnow quantize --model . --texts ../texts -o ../m.minnow > /dev/null) && name m.minnow
minnow export tiny -o hub/ > /dev/null
(cd hub/onnx && minnow quantize --model model.onnx --texts ../../texts -o ../../m.minnow > /dev/null) && name m.minnow
sed 's|^{|{"_name_or_path":"org/base",|' tiny/config.json > config.json
# A pipe's folder names nothing.
minnow quantize --model /dev/stdin --tokenizer tiny/vocab.txt --texts texts -o m.minnow < <(cat hub/onnx/model.onnx) \
    > /dev/null && name m.minnow
cp config.json hub && minnow quantize --model hub --texts texts -o m.minnow > /dev/null && name m.minnow
mv hub 0123456789abcdef0123456789abcdef01234567
minnow quantize --model 0123* --texts texts -o m.minnow > /dev/null && name m.minnow
minnow quantize --model tiny --texts texts -o m.minnow --name 'Mine' > /dev/null && name m.minnow
code minnow quantize --model tiny --texts texts -o m.minnow --name $'a\xffb'
code minnow quantize --model tiny --texts texts -o m.minnow --license $'\xc3'
# Names of files are bytes, those in the file UTF-8; the folder is called so as well.
mv tiny $'ti\xffny' && minnow quantize --model $'ti\xffny' --texts texts -o m.minnow > /dev/null && name m.minnow
