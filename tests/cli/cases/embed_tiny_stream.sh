need_tiny
m="--model $GOLDEN/tiny-bert/gelu-f32 --tokenizer $DATA/vocab.txt"
# What is there is answered before more is waited for: the second line is sent when the answer to the first has come.
coproc minnow_process { minnow embed $m; }
exec {in}<&"${minnow_process[0]}" {out}>&"${minnow_process[1]}"
for text in first second; do
    echo "$text" >&$out
    read -r -t 60 -u $in line && echo "${line:0:15}"
done
# Texts before a bad line are answered, in order.
exec {out}>&-
{ for i in $(seq 300); do echo "\"$i\""; done; echo nonsense; } | code minnow embed $m --jsonl | cut -d , -f 1 | sort | uniq | wc -l
# A closed pipe and a full disk end it.
{ yes a | minnow embed $m; echo "exit $?" >&2; } | head -n 1 | cut -c 1-10
minnow embed $m a > /dev/full
echo "exit $?"
