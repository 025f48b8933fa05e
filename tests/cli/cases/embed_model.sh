need_model
m="--model $MODELS/all-MiniLM-L6-v2"
minnow embed $m --precision int8 --dimensions 16 "How do I reset my password?"
minnow similarity $m "How do I reset my password?" "I forgot my login." | cut -c 1-6
minnow tokenize $m "How do I reset my password?"
