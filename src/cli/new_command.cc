// nexus new panel NAME: a panel to begin with.
#include <fmt/format.h>

#include <filesystem>

#include "base/file.h"
#include "cli/exit_codes.h"
#include "cli/internal/command.h"
#include "panel/nxml/nxml.h"

namespace nexus::internal {
namespace {

// {0}: the id, {1}: the title.
constexpr const char* kPanel = R"(<?xml version="1.0" encoding="UTF-8"?>
<!-- Made by `nexus new panel`. Try it:  nexus serve {0}.nxml -->
<NexusPanel id="{0}" title="{1}" version="0.1.0" description="What this panel is for.">
  <Data>
    <State name="items" type="list" default="[]"/>
    <State name="draft" type="string" default=""/>
    <Computed name="count" value="$state.items.length"/>
  </Data>
  <Logic>
    <Tool name="add" description="Adds an item and returns how many there are.">
      <Arg name="text" type="string" description="The item"/>
      <Handler>
        const text = $args.text.trim();
        if (text === "") throw new TypeError("an item needs a text");
        $state.items.push({{ text, at: $time.now() }});
        return $state.items.length;
      </Handler>
    </Tool>
    <Tool name="addDraft" description="Adds what stands in the input field.">
      <Handler>
        await $tools.add({{ text: $state.draft }});
        $state.draft = "";
      </Handler>
    </Tool>
    <Tool name="remove" description="Removes the item at an index." destructive="true">
      <Arg name="index" type="number"/>
      <Handler>
        return $state.items.splice($args.index, 1).length === 1;
      </Handler>
    </Tool>
  </Logic>
  <View>
    <Layout strategy="stack">
      <Text variant="h1" content="{1}"/>
      <Metric label="Items" value="{{$state.count}}"/>
      <Input id="draft" bind="$state.draft" placeholder="A new item"/>
      <Button label="Add" trigger="addDraft" disabled="{{$state.draft === ''}}"/>
      <Iterate items="{{$state.items}}" as="item">
        <Layout strategy="row" justify="space-between">
          <Text content="{{$scope.item.text}}"/>
          <Button label="Remove" trigger="remove" args="[$scope.itemIndex]"/>
        </Layout>
      </Iterate>
    </Layout>
  </View>
</NexusPanel>
)";

class NewCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override {
    CLI::App* app = root.add_subcommand("new", "Write a panel to begin with");
    app->add_option("KIND", kind_, "What to make: panel")->required();
    app->add_option("NAME", name_, "Its id; the file is NAME.nxml in this folder")->required();
    app->footer("Example:\n  nexus new panel shopping && nexus serve shopping.nxml");
    return app;
  }

  int Run() override {
    if (kind_ != "panel") {
      return FailWith(Error(Code::kInvalidArgument,
                            "new: '" + kind_ + "' cannot be made: nexus new panel NAME"),
                      false);
    }
    const std::string file = name_ + ".nxml";
    const std::string text = fmt::format(kPanel, name_, Title());
    const NxmlReport report = ReadNxml(text, {.file = file, .limits = {}});
    if (!report.panel) {
      return FailWith(Error(Code::kInvalidArgument, "new: " + report.errors.front().message),
                      false);
    }
    if (std::filesystem::exists(file)) {
      return FailWith(
          Error(Code::kInvalidArgument, "new: " + file + " is there already: choose another name"),
          false);
    }
    if (const Status written = WriteFileAtomic(file, text); !written) {
      return FailWith(written.error(), false);
    }
    Terminal(stderr).Line("wrote " + file + "; try: nexus serve " + file);
    return kExitSuccess;
  }

 private:
  std::string Title() const {
    std::string title = name_;
    if (!title.empty() && title[0] >= 'a' && title[0] <= 'z') title[0] -= 'a' - 'A';
    for (char& c : title) c = c == '-' || c == '_' ? ' ' : c;
    return title;
  }
  std::string kind_;
  std::string name_;
};

}  // namespace

std::unique_ptr<Command> MakeNewCommand() { return std::make_unique<NewCommand>(); }

}  // namespace nexus::internal
