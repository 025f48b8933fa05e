# A quantized ONNX file is embedded with, and is nothing to quantize again.
for name in dynamic_s8 qdq; do
    cp "$GOLDEN/onnx/bert_ort_$name.onnx" $name.onnx
    minnow embed --model $name.onnx --tokenizer "$DATA/vocab.txt" --max-tokens 16 "hello world" the
    code minnow quantize --model $name.onnx --tokenizer "$DATA/vocab.txt" -o out.minnow
    code minnow calibrate --model $name.onnx --tokenizer "$DATA/vocab.txt" -o out.json
done
ls
