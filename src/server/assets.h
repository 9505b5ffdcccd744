#pragma once
/// The page at "/": the files of web/, embedded when the server was built.

#include <span>
#include <string_view>

namespace nexus {

struct Asset {
  std::string_view path;  ///< "/index.html", "/assets/app.js"
  std::string_view content_type;
  std::string_view gzip;   ///< The content, compressed.
  std::string_view plain;  ///< The content.
  std::string_view etag;   ///< With its quotes.
};

/// Empty when the page was not built: the server tells how to then.
std::span<const Asset> WebAssets();

}  // namespace nexus
