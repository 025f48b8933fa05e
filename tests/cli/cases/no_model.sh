code minnow embed --model nowhere text
code env MINNOW_MODEL=nowhere bash -c '$RUNNER "$MINNOW_PROGRAM" embed text'
code minnow tokenize --model nowhere text
mkdir empty
code minnow tokenize --model empty text
code minnow embed --model empty text
code minnow tokenize --tokenizer nowhere.json text
