# What would be encoded: the distinct texts of each task; of a folder of tasks, each by name.
mkdir -p sets/b sets/a sets/other
printf '5\tone\ttwo\n1\ttwo\tthree\n' > sets/b/test.tsv
printf 'x\tone\ny\t"quoted"\n' > sets/a/train.tsv
printf 'x\tone\r\n\nz\tlast' > sets/a/test.tsv
minnow eval --texts sets
minnow eval --texts sets/b/ sets/a | cut -d , -f 1
mkdir -p search
printf '{"_id":"1","title":"T","text":"one"}\n{"_id":"2","text":"two"}\n' > search/corpus.jsonl
printf '{"_id":"q","text":"what"}\n{"_id":"unjudged","text":"no"}\n' > search/queries.jsonl
printf 'query-id\tcorpus-id\tscore\nq\t2\t1\n' > search/qrels.tsv
minnow eval --texts search
