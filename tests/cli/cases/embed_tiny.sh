need_tiny
m="--model $GOLDEN/tiny-bert/gelu-f32 --tokenizer $DATA/vocab.txt"
minnow embed $m "hello" > one; minnow embed $m "hello" "hello" | tail -n 1 | cmp - one && echo same
printf 'hello\n' | minnow embed $m | cmp - one && echo same
for threads in 1 2 3; do yes hello | head -n 1000 | minnow embed $m --threads $threads | sort | uniq -c | cut -c 1-30; done
for i in $(seq 1000); do echo "hello $i"; done > texts
minnow embed $m --threads 1 < texts > 1.jsonl
minnow embed $m --threads 4 < texts | cmp - 1.jsonl && echo same
for tier in scalar avx2 avx512 neon; do
    MINNOW_ISA=$tier minnow version > /dev/null 2>&1 || continue
    MINNOW_ISA=$tier minnow embed $m < texts | cmp - 1.jsonl
done && echo same
