code minnow embed --max-tokens 0 text
code minnow embed --max-tokens 12x text
code minnow embed --max-tokens 99999999999999999999 text
code minnow embed --pool sum text
code minnow embed --precision float16 text
code minnow embed --dimensions -1 text
code minnow embed --threads 0 text
code minnow embed --tokens --npy out.npy text
code minnow embed --tokens --precision int8 text
code minnow embed --tokens --pool cls text
code minnow embed --no-normalize --precision int8 text
ls
