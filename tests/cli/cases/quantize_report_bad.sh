# What --report and --eval refuse, before any work.
need_tiny
cp -r "$GOLDEN/tiny-bert/gelu-f32" tiny && cp "$DATA/vocab.txt" tiny
printf 'hello world\na b c\n' > texts
mkdir folder
quantize() { code minnow quantize --model tiny --texts texts "$@"; }
quantize -o a.minnow --report ''
quantize -o a.minnow --eval folder
quantize -o - --report a.html --eval folder
quantize -o a.minnow --report a.minnow
quantize -o a.minnow --report ./folder/../a.minnow
quantize -o a.minnow --report nowhere/a.html
quantize -o a.minnow --report folder
quantize -o a.minnow --report tiny/model.safetensors
quantize -o a.minnow --report tiny/../tiny/vocab.txt
quantize -o texts
quantize -o a.minnow --report a.html --eval folder
quantize -o a.minnow --report a.html --eval nowhere
quantize -o - --report -
ls
