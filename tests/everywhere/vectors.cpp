// SPDX-License-Identifier: Apache-2.0
// Lines of standard input -> their vectors, float32, on standard output, in C++. usage: vectors MODEL < lines
#include <minnow.h>

#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

struct Close {
    void operator()(minnow_model *model) const { minnow_model_close(&model); }
    void operator()(minnow_context *context) const { minnow_context_close(&context); }
};

minnow_status run(const char *path, minnow_error &error) {
    minnow_model *opened = nullptr;
    minnow_context *created = nullptr;
    if (const auto status = minnow_model_open(&opened, path, &error)) return status;
    const std::unique_ptr<minnow_model, Close> model(opened);
    if (const auto status = minnow_context_create(&created, opened, nullptr, &error)) return status;
    const std::unique_ptr<minnow_context, Close> context(created);
    std::vector<float> vector(minnow_model_dimensions(opened));
    for (std::string line; std::getline(std::cin, line);) {
        if (const auto status =
                minnow_encode(created, line.data(), line.size(), vector.data(), vector.size(), nullptr, &error))
            return status;
        if (std::fwrite(vector.data(), sizeof(float), vector.size(), stdout) != vector.size()) return MINNOW_ERROR_IO;
    }
    return MINNOW_OK;
}

} // namespace

int main(int argc, char **argv) {
    minnow_error error = {};
    if (argc == 2 && run(argv[1], error) == MINNOW_OK) return 0;
    std::fprintf(stderr, "vectors: %s\n", error.message);
    return 1;
}
