# Every way of choosing ranges, rounding and tables gives a model; the figures are the same on every machine.
need_tiny
cp -r "$GOLDEN/tiny-bert/gelu-f32" tiny && cp "$DATA/vocab.txt" tiny
for i in 1 2; do for j in hello world cafe password reset; do echo "how do i $j my $j $i? the $j"; done; done > texts
try() {
    minnow quantize --model tiny --texts texts -o m.minnow --json "$@" | grep -oE '"methods".*"matrix|"cosine":\{[^}]*\}' |
        grep -oE '"(mean|min)":[0-9.]*' | tr '\n' ' '
    minnow embed --model m.minnow hello > /dev/null && echo "$(stat -c %s m.minnow) bytes: $*"
}
for method in auto minmax percentile mse entropy; do try --rounding nearest --method $method; done
try --rounding nearest --no-equalization
try --rounding nearest --equalization 0.5
try --rounding nearest --no-bias-correction
try --rounding nearest --method entropy --site '*.down_input=minmax' --site layer.0.key=mse
try --rounding nearest --method percentile --percentile 99
try --rounding gptq
for embedding in int8 fp16 mixed int8-per-tensor; do try --rounding nearest --embedding $embedding; done
for inputs in float per-tensor per-channel; do try --rounding nearest --ln-inputs $inputs; done
