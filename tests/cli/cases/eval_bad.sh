mkdir -p empty nothing/in/here sts half search
code minnow eval
code minnow eval empty
code minnow eval nothing
code minnow eval no/such/folder
printf '5\tone\ttwo\nfive\tone\ttwo\n' > sts/test.tsv
code minnow eval sts
printf '5\tone\n' > sts/test.tsv
code minnow eval sts
: > sts/test.tsv
code minnow eval sts
printf 'x\tone\n' > half/test.tsv
printf 'x\tone\nx\ttwo\n' > half/train.tsv
code minnow eval half
printf '{"_id":"1","text":"one"}\n{"_id":"2","text":}\n' > search/corpus.jsonl
code minnow eval search
printf '{"_id":"1","text":"one"}\n' > search/queries.jsonl
printf '1\t1\t1\n2\t1\t1\n' > search/qrels.tsv
code minnow eval search
printf '{"_id":"1","text":"one"}\n' > search/corpus.jsonl
code minnow eval search
printf 'sentence\n' > empty/sentences.tsv
code minnow eval empty ./empty/
