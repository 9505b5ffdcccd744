#pragma once
/// From elements to a definition, with every problem at its place.
///
/// reader.cc       the shape: which elements and attributes, required ones, types
/// reader_logic.cc tools, triggers, prompts, handlers with their code
/// reader_view.cc  the view and its bindings
/// reader_uses.cc  what is named but not there, and what is there but never used

#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "panel/nxml/internal/document.h"
#include "panel/nxml/internal/expression.h"
#include "panel/nxml/nxml.h"
#include "source/scopes.h"
#include "source/syntax_tree.h"

namespace nexus::internal {

class Reader {
 public:
  Reader(const Places& places, const NxmlOptions& options, NxmlReport& report)
      : places_(places), options_(options), report_(report) {}

  PanelDefinition Read(const Element& root);

 private:
  using Names = std::initializer_list<std::string_view>;

  // reader.cc
  void Error(std::string code, std::size_t offset, std::string message, std::string path);
  void Warn(std::string code, SourcePosition position, std::string message, std::string path);
  void AddError(std::string code, SourcePosition position, std::string message, std::string path);
  void CheckAttributes(const Element& element, Names known, const std::string& path);
  void CheckNoText(const Element& element, const std::string& path);
  std::string Text(const Element& element, std::string_view attribute) const;
  std::string Required(const Element& element, std::string_view attribute, const std::string& path);
  std::optional<bool> Flag(const Element& element, std::string_view attribute,
                           const std::string& path);
  void Identifier(const std::string& name, const Element& element, std::string_view attribute,
                  const std::string& path);
  PanelType TypeOf(const Element& element, const std::string& path);
  std::optional<Value> DefaultOf(const Element& element, PanelType type, const std::string& path);
  void UnknownChild(const Element& child, std::string_view in, Names known,
                    const std::string& path);
  void ReadData(const Element& data);
  void ReadState(const Element& element, const std::string& path);
  void ReadComputed(const Element& element, const std::string& path);
  SourcePosition At(std::size_t offset) const { return places_.At(offset); }
  SourcePosition AttributeAt(const Element& element, std::string_view attribute) const {
    return places_.At(element.OffsetOf(attribute));
  }

  /// 0 the first time; then the line where `name` of that `kind` was declared first.
  std::uint32_t DeclaredBefore(std::string_view kind, const std::string& name, std::uint32_t line);

  // reader_logic.cc
  void ReadLogic(const Element& logic);
  void ReadExtension(const Element& element);
  void ReadTool(const Element& element);
  ArgDefinition ReadArg(const Element& element, const std::string& path);
  void ReadArgs(const Element& element, std::vector<ArgDefinition>& args, const std::string& path);
  void ReadOutput(const Element& element, ToolDefinition& tool, const std::string& path);
  void ReadLifecycle(const Element& element);
  void ReadTrigger(const Element& element);
  void ReadTriggerTimes(const Element& element, TriggerDefinition& trigger,
                        const std::string& path);
  void ReadPrompt(const Element& element);
  std::vector<CapabilityToken> ReadCapabilities(const Element& element, const std::string& path);
  HandlerDefinition ReadHandlerOf(const Element& parent, const std::string& path, Names others);
  void ReadHandler(const Element& element, HandlerDefinition& handler, const std::string& path);
  void CheckCode(const Element& element, HandlerDefinition& handler, const std::string& path);
  void CheckGlobals(const SyntaxTree& tree, const Scopes& scopes, const HandlerDefinition& handler,
                    const std::string& path);
  void SyntaxProblem(const Element& element, const std::string& message, const std::string& path);
  SourcePosition InBody(const HandlerDefinition& handler, SourcePosition inside) const;

  // reader_view.cc
  void ReadView(const Element& view);
  ViewNode ReadNode(const Element& element, const std::string& path,
                    const std::vector<std::string>& scope);
  void ReadProp(const Attribute& attribute, ViewNode& node, const std::string& path,
                const std::vector<std::string>& scope);
  void CheckProp(const Attribute& attribute, const std::string& component, const std::string& path);
  /// An expression that begins at byte `at` of the value (or text) at `begin` in the file.
  struct Binding {
    std::string_view expression;
    std::size_t begin = 0, at = 0;
  };
  /// Of byte `offset` of the expression.
  SourcePosition PlaceIn(const Binding& binding, std::size_t offset) const {
    return places_.At(places_.Within(binding.begin, binding.at + offset));
  }
  void CheckText(const ReadText& read, std::size_t begin, const std::string& path,
                 const std::vector<std::string>& scope);
  void CheckBinding(const Binding& binding, const std::string& path,
                    const std::vector<std::string>& scope);
  void CheckBind(const Attribute& attribute, SourcePosition position, const std::string& path,
                 const std::vector<std::string>& scope);

  // reader_uses.cc
  void CheckUses();
  void CheckExpressions();
  void CheckReferences();
  void CheckUnused();
  bool KnowsState(std::string_view name) const { return data_names_.contains(name); }
  std::string StateHint(std::string_view name) const;

  struct TriggerUse {
    std::string tool;
    SourcePosition position;
    std::string path;
  };

  const Places& places_;
  const NxmlOptions& options_;
  NxmlReport& report_;
  PanelDefinition panel_;
  std::set<std::string, std::less<>> used_state_, used_tools_;
  std::vector<TriggerUse> tool_uses_;  ///< By views and triggers.
  /// State named in the view: checked when all of Data is known, whatever the order of sections.
  struct StateUse {
    std::string name;
    SourcePosition position;
    std::string path;
    bool is_error = true;
    bool is_write = false;  ///< By an input that is bound to it.
  };
  std::vector<StateUse> state_uses_;
  struct ExtensionCall {
    std::string alias;
    SourcePosition position;
    std::string path;
  };
  std::vector<ExtensionCall> extension_uses_;
  std::map<std::string, SourcePosition, std::less<>> view_ids_;
  /// Lines where names were declared first: "tool:add", so that a thousand tools are no million
  /// comparisons.
  std::map<std::string, std::uint32_t, std::less<>> declared_;
  std::map<std::string, bool, std::less<>> data_names_;  ///< True: computed. Filled by CheckUses.
  std::set<std::string, std::less<>> tool_names_;        ///< As data_names_.
  std::vector<std::size_t> computed_offsets_;            ///< Of their expressions in the file.
};

}  // namespace nexus::internal
