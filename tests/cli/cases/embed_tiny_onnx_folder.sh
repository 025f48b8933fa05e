need_tiny
cp -r "$GOLDEN/tiny-bert/gelu-f32" source && cp "$DATA/vocab.txt" source
code minnow export source -o hub/ > /dev/null
minnow embed --model hub hello > expected
# The settings lie in the folder above, however the folder onnx is reached.
cd hub/onnx || exit
for model in model.onnx ./model.onnx . ../onnx/ ../onnx/. "$PWD"; do
    minnow embed --model "$model" hello | cmp - ../../expected && minnow tokenize --model "$model" hello
done
cd ../..
mkdir -p other/onnx && cd other/onnx && minnow export ../../source -o model.onnx | sed 's/^model.*/model/'
cd .. && find . -type f | sort
