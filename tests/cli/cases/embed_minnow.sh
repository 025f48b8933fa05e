# A .minnow file is a whole model: by any name, anywhere, without other files; as the only model of a folder.
need_tiny
cp -r "$GOLDEN/tiny-bert/gelu-f32" tiny && cp "$DATA/vocab.txt" tiny
printf 'hello world\nthe cafe\nhow do i reset my password?\n' > texts
minnow quantize --model tiny --texts texts --rounding nearest -o tiny/model.minnow > /dev/null
mkdir folder && cp tiny/model.minnow folder/model.minnow && cp tiny/model.minnow by-another-name
minnow embed --model tiny/model.minnow "hello world"
minnow embed --model tiny/model.minnow < texts > expected
minnow embed --model folder < texts | cmp - expected && minnow embed --model by-another-name < texts | cmp - expected && echo same
# FP32 is what a folder means if it is there.
mv tiny/model.minnow . && minnow embed --model tiny < texts > fp32
cp model.minnow tiny && minnow embed --model tiny < texts | cmp - fp32 && echo same
for tier in scalar avx2 avxvnni avx512 avx512vnni amx neon neon-dotprod neon-i8mm; do
    MINNOW_ISA=$tier minnow version > /dev/null 2>&1 || continue
    for threads in 1 3; do MINNOW_ISA=$tier minnow embed --model model.minnow --threads $threads < texts | cmp - expected; done
    MINNOW_ISA=$tier minnow embed --model model.minnow "hello world" | cmp - <(head -n 1 expected)
done && echo same
minnow tokenize --model model.minnow < texts
minnow embed --model model.minnow --tokens "" | cut -c 1-40
minnow embed --model model.minnow --pool cls --no-normalize "hello world"
minnow similarity --model model.minnow "hello world" "hello hello"
# The limit is in the file; a giant is cut, and said to be.
yes hello | head -n 100000 | tr '\n' ' ' > giant
minnow embed --model model.minnow < giant | tail -c 32
minnow quantize --model tiny --texts texts --rounding nearest --max-tokens 4 --name small --license MIT -o small.minnow > /dev/null
minnow embed --model small.minnow "hello hello hello" | tail -c 32
code minnow embed --model model.minnow --max-tokens 11 hello
code minnow embed --model model.minnow --tokenizer "$DATA/vocab.txt" hello
code minnow run model.minnow --inputs texts
head -c 5000 model.minnow > half && code minnow embed --model half hello
