#include "panel/nxml/nxml.h"

#include <utility>

#include "panel/nxml/internal/document.h"
#include "panel/nxml/internal/reader.h"

namespace nexus {

NxmlReport ReadNxml(std::string_view source, const NxmlOptions& options) {
  NxmlReport report;
  // Editors of some systems begin a file with it; it is no character of the text.
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (source.starts_with(kByteOrderMark)) source.remove_prefix(kByteOrderMark.size());
  const internal::Places places(source);
  const internal::Document document =
      internal::ReadDocument(source, places, options.limits, report.errors);
  if (document.root == nullptr || document.broken_at != SIZE_MAX) return report;
  PanelDefinition panel = internal::Reader(places, options, report).Read(*document.root);
  if (document.comment_inside != SIZE_MAX) report.comment = places.At(document.comment_inside);
  report.comments_before = document.comments_before;
  if (report.errors.empty()) report.panel = std::move(panel);
  return report;
}

}  // namespace nexus
