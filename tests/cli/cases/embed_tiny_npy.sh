need_tiny
m="--model $GOLDEN/tiny-bert/gelu-f32 --tokenizer $DATA/vocab.txt"
printf 'a\nb\nc\n' | code minnow embed $m --npy out.npy
head -c 10 out.npy | od -An -c | head -n 1
dd if=out.npy bs=1 skip=10 count=118 2>/dev/null | sed 's/[0-9]*), }/D), }/; s/ *$//'
ls
# Nothing is left of a failure, and what was there before stays.
cp out.npy before
printf '"a"\nnonsense\n' | code minnow embed $m --jsonl --npy out.npy
cmp out.npy before && ls
code minnow embed $m --npy /dev/full a
code minnow embed $m --npy no/such/folder/out.npy a
