// SPDX-License-Identifier: Apache-2.0
// Semantic search over lines: reads lines from standard input, prints the five closest to the question.
// usage: search MODEL QUESTION < lines.txt
// MODEL: a .minnow file, an ONNX file (FP32 or INT8), or a model's folder.
#include <minnow.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// A model and one thread's context, closed in the right order when they go.
class Embedder {
  public:
    explicit Embedder(const char *path) {
        minnow_error error;
        minnow_model *model = nullptr;
        if (minnow_model_open(&model, path, &error)) throw std::runtime_error(error.message);
        model_.reset(model);
        minnow_context *context = nullptr;
        if (minnow_context_create(&context, model, nullptr, &error)) throw std::runtime_error(error.message);
        context_.reset(context);
    }

    std::vector<float> operator()(const std::string &text) const {
        std::vector<float> vector(minnow_model_dimensions(model_.get()));
        minnow_error error;
        if (minnow_encode(context_.get(), text.data(), text.size(), vector.data(), vector.size(), nullptr, &error))
            throw std::runtime_error(error.message);
        return vector;
    }

  private:
    struct Close {
        void operator()(minnow_model *model) const { minnow_model_close(&model); }
        void operator()(minnow_context *context) const { minnow_context_close(&context); }
    };
    std::unique_ptr<minnow_model, Close> model_; // outlives the context: members go in reverse order
    std::unique_ptr<minnow_context, Close> context_;
};

void search(const char *model_path, const char *question) {
    const Embedder embed(model_path);
    std::vector<std::string> lines;
    std::vector<double> scores;
    const auto wanted = embed(question);
    for (std::string line; std::getline(std::cin, line);) {
        if (line.empty()) continue;
        const auto vector = embed(line);
        scores.push_back(minnow_similarity(wanted.data(), vector.data(), vector.size()));
        lines.push_back(std::move(line));
    }
    std::vector<std::size_t> order(lines.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
    order.resize(std::min<std::size_t>(order.size(), 5));
    for (const auto i : order) std::printf("%.4f  %s\n", scores[i], lines[i].c_str());
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: search MODEL QUESTION < lines.txt\n");
        return 2;
    }
    try {
        search(argv[1], argv[2]);
    } catch (const std::exception &e) {
        std::fprintf(stderr, "search: %s\n", e.what());
        return 1;
    }
    return 0;
}
