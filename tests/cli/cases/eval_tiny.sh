need_tiny
m="--model $GOLDEN/tiny-bert/gelu-f32 --tokenizer $DATA/vocab.txt"
mkdir -p sets/pairs sets/labels sets/search sets/texts
printf '5\thello world\thello\n1\thow do you do\tworld\n3\thello\tdo\n3\ta\tdo you\n' > sets/pairs/test.tsv
printf 'x\thello\nx\thello world\ny\tdo\ny\tdo you\n' > sets/labels/train.tsv
printf 'x\thello hello\ny\thow do\nz\tdo\n' > sets/labels/test.tsv
printf '{"_id":"1","title":"hello","text":"world"}\n{"_id":"2","text":"do you do"}\n' > sets/search/corpus.jsonl
printf '{"_id":"q","text":"hello world"}\n' > sets/search/queries.jsonl
printf 'query-id\tcorpus-id\tscore\nq\t1\t1\nq\tgone\t1\n' > sets/search/qrels.tsv
{ printf 'hello\n'; yes hello | head -n 300 | paste -s -d ' '; } > sets/texts/sentences.tsv
minnow eval $m sets
# A model is like itself, and like the vectors that it saved.
minnow eval $m --save-vectors saved --reference "$GOLDEN/tiny-bert/gelu-f32" --reference-tokenizer "$DATA/vocab.txt" sets
ls saved
minnow eval $m --threads 3 --reference saved sets --json > a
minnow eval --model saved --reference saved --json --threads 1 sets > b
minnow eval --model saved sets/search
round() { sed -E 's/(\.[0-9]{3})[0-9]*/\1/g; s/"(model|reference)":"[^"]*"/"\1":""/g'; }
round < a
round < b | sed 's/.*"average/"average/'
minnow embed $m hello --npy one.npy && cp one.npy saved/texts.npy
code minnow eval --model saved sets/texts
rm saved/texts.npy
code minnow eval --model saved sets
code minnow eval $m --max-tokens 8 sets/texts
