# What the command line refuses.
code minnow calibrate
code minnow quantize
code minnow calibrate -o a b
code minnow quantize -o a b
code minnow quantize -o ''
for option in "--method kl" "--site key" "--site =mse" "--site layer.0.key=best" "--percentile 101" "--equalization 1.5" \
    "--equalization -1" "--equalization nan" "--samples all" "--max-tokens 0" "--threads 0"; do
    # shellcheck disable=SC2086 # an option and its value
    code minnow calibrate -o r.json $option
done
for option in "--rounding up" "--embedding int4" "--ln-inputs int8" "--to tflite" "--weights all" "--weight-codes 4"; do
    # shellcheck disable=SC2086
    code minnow quantize -o m.minnow $option
done
code minnow quantize -o m.minnow --force
code minnow quantize -o m.minnow --weights per-tensor
code minnow quantize -o m.minnow --weight-codes 8
code minnow quantize -o m.minnow --ranges r.json --method mse
code minnow quantize -o m.minnow --rounding gptq --no-bias-correction
code minnow quantize -o m.minnow --rangs r.json
code minnow calibrate -o r.json --rounding gptq
code minnow calibrate -o r.json --model nowhere
