need_tiny
# An interrupt ends it between two lines, by the signal that came.
# shellcheck disable=SC2086 # $RUNNER is a command with arguments
$RUNNER "$MINNOW_PROGRAM" embed --model "$GOLDEN/tiny-bert/gelu-f32" --tokenizer "$DATA/vocab.txt" < <(yes a) > lines &
for i in $(seq 600); do [[ -s lines ]] || sleep 0.1; done
kill -TERM $!
wait $! 2> /dev/null
echo "exit $?"
tail -c 19 lines
