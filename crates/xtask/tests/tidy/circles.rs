//! The rule that no files of a crate use each other in a circle, so far as a program can see.
//!
//! A file uses another if one of its paths leads to an item there: by `use`, or written out. Methods and macros are not
//! followed, re-exports are no use, and what only tests use does not count. Nor does a file use its parent if it holds an
//! `impl` of the parent's type: the two are one thing on two pages.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Item, UseTree};

use crate::tree::{Fault, TextFile};

/// The names of modules from the root of a crate.
type ModulePath = Vec<String>;

/// What one file holds, as the others see it.
#[derive(Default)]
struct Module {
    file: usize,
    children: BTreeSet<String>,
    /// Names of this module that stand for something elsewhere, with the path as it is written there.
    imports: BTreeMap<String, ModulePath>,
    /// Those of them that are only handed on.
    handed_on: BTreeSet<String>,
    /// Modules whose names are all imported.
    globs: Vec<ModulePath>,
    /// Every path that the code names, imports left out.
    paths: Vec<ModulePath>,
    /// The types that get methods here.
    continued: Vec<ModulePath>,
}

/// Every circle of every crate.
pub fn faults(files: &[TextFile]) -> Vec<Fault> {
    let mut crates: BTreeMap<&str, Vec<&TextFile>> = BTreeMap::new();
    for file in files {
        if let Some((folder, _)) = file.path.split_once("/src/").filter(|_| !is_of_tests(&file.path)) {
            crates.entry(folder).or_default().push(file);
        }
    }
    crates.values().flat_map(|files| faults_of(files)).collect()
}

fn is_of_tests(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

fn faults_of(files: &[&TextFile]) -> Vec<Fault> {
    let modules: BTreeMap<ModulePath, Module> = files
        .iter()
        .enumerate()
        .map(|(index, file)| (module_path(&file.path), Module::read(index, &file.text)))
        .collect();
    let mut uses = vec![BTreeSet::new(); files.len()];
    for (path, module) in &modules {
        let mut found: Vec<Option<usize>> =
            module.paths.iter().map(|named| definer(&modules, path, named, 0)).collect();
        let used_up = module.imports.iter().filter(|(name, _)| !module.handed_on.contains(*name));
        // A module that is imported is used by the paths that begin with its name.
        found.extend(
            used_up
                .filter(|(_, to)| !leads_to_module(&modules, path, to))
                .map(|(_, to)| definer(&modules, path, to, 0)),
        );
        found.extend(module.globs.iter().map(|to| definer(&modules, path, to, 0)));
        let parent = path.split_last().and_then(|(_, parent)| modules.get(parent)).map(|parent| parent.file);
        let continues = module.continued.iter().any(|of| definer(&modules, path, of, 0) == parent);
        let is_other = |file: &usize| *file != module.file && (!continues || Some(*file) != parent);
        uses[module.file].extend(found.into_iter().flatten().filter(is_other));
    }
    circles(&uses).into_iter().map(|circle| fault(files, &circle)).collect()
}

fn fault(files: &[&TextFile], circle: &[usize]) -> Fault {
    let names: Vec<&str> = circle.iter().map(|&index| files[index].path.as_str()).collect();
    files[circle[0]].fault(
        0,
        format!("these use each other in a circle: {}; move what several need below them", names.join(", ")),
    )
}

/// `crates/a/src/b/c.rs` is `b::c`.
fn module_path(path: &str) -> ModulePath {
    let (_, inside) = path.split_once("/src/").unwrap_or_default();
    let names = inside.trim_end_matches(".rs").split('/');
    names.filter(|name| !matches!(*name, "lib" | "mod")).map(str::to_owned).collect()
}

impl Module {
    fn read(file: usize, text: &str) -> Self {
        let mut module = Self { file, ..Self::default() };
        let parsed = syn::parse_file(text).expect("the compiler reads this file too");
        module.visit_file(&parsed);
        module
    }

    fn import(&mut self, tree: &UseTree, mut path: ModulePath, is_handed_on: bool) {
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.import(&part.tree, path, is_handed_on);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path.clone(), is_handed_on);
                }
            }
            UseTree::Glob(_) if !is_handed_on => self.globs.push(path),
            UseTree::Glob(_) => {}
            UseTree::Name(name) => {
                self.import_as(name.ident.to_string(), name.ident.to_string(), path, is_handed_on)
            }
            UseTree::Rename(name) => {
                self.import_as(name.ident.to_string(), name.rename.to_string(), path, is_handed_on);
            }
        }
    }

    fn import_as(&mut self, name: String, alias: String, mut path: ModulePath, is_handed_on: bool) {
        let alias = if name == "self" { path.last().cloned().unwrap_or_default() } else { alias };
        if name != "self" {
            path.push(name);
        }
        if is_handed_on {
            self.handed_on.insert(alias.clone());
        }
        self.imports.insert(alias, path);
    }
}

/// Whether an item is compiled for tests alone.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

fn names(path: &syn::Path) -> ModulePath {
    path.segments.iter().map(|part| part.ident.to_string()).collect()
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Mod(item) if is_for_tests(&item.attrs) => {}
            Item::Fn(item) if is_for_tests(&item.attrs) => {}
            Item::Impl(item) if is_for_tests(&item.attrs) => {}
            Item::Use(item) if is_for_tests(&item.attrs) => {}
            Item::Mod(item) if item.content.is_none() => {
                self.children.insert(item.ident.to_string());
            }
            Item::Use(item) => {
                let is_handed_on = !matches!(item.vis, syn::Visibility::Inherited);
                self.import(&item.tree, Vec::new(), is_handed_on);
            }
            Item::Impl(item) => {
                if let syn::Type::Path(of) = &*item.self_ty {
                    self.continued.push(names(&of.path));
                }
                visit::visit_item_impl(self, item);
            }
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {
        // `pub(super)` names a module and uses nothing of it.
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(names(path));
        visit::visit_path(self, path);
    }
}

/// The file that defines what a path of the module `from` leads to; `None` if that is another crate's, or the module's
/// own.
fn definer(
    modules: &BTreeMap<ModulePath, Module>,
    from: &ModulePath,
    path: &[String],
    depth: usize,
) -> Option<usize> {
    let (mut at, rest) = start(modules, from, path, depth)?;
    for (index, name) in rest.iter().enumerate() {
        let module = modules.get(&at)?;
        if module.children.contains(name) {
            at.push(name.clone());
        } else if let Some(to) = module.imports.get(name).filter(|_| depth < 8) {
            let whole: ModulePath = to.iter().chain(&rest[index + 1..]).cloned().collect();
            return definer(modules, &at, &whole, depth + 1);
        } else {
            return Some(module.file);
        }
    }
    modules.get(&at).map(|module| module.file)
}

fn leads_to_module(modules: &BTreeMap<ModulePath, Module>, from: &ModulePath, path: &[String]) -> bool {
    let Some((mut at, rest)) = start(modules, from, path, 0) else { return false };
    at.extend(rest.iter().cloned());
    modules.contains_key(&at)
}

/// The module that a path sets out from, and what of the path is left.
fn start<'p>(
    modules: &BTreeMap<ModulePath, Module>,
    from: &ModulePath,
    path: &'p [String],
    depth: usize,
) -> Option<(ModulePath, &'p [String])> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some((Vec::new(), rest)),
        "self" => Some((from.clone(), rest)),
        "super" => {
            let parent = from.split_last()?.1.to_vec();
            match rest.first().map(String::as_str) {
                Some("super") => start(modules, &parent, rest, depth),
                _ => Some((parent, rest)),
            }
        }
        name => {
            let module = modules.get(from)?;
            let is_known =
                module.children.contains(name) || (depth == 0 && module.imports.contains_key(name));
            is_known.then(|| (from.clone(), path))
        }
    }
}

/// Groups of files each of which leads to all others of its group.
fn circles(uses: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    let reached: Vec<BTreeSet<usize>> = (0..uses.len()).map(|file| reached_from(uses, file)).collect();
    let mut circles: BTreeSet<Vec<usize>> = BTreeSet::new();
    for (file, ahead) in reached.iter().enumerate().filter(|(file, ahead)| ahead.contains(file)) {
        circles.insert(ahead.iter().copied().filter(|&other| reached[other].contains(&file)).collect());
    }
    circles.into_iter().collect()
}

fn reached_from(uses: &[BTreeSet<usize>], file: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<usize> = uses[file].iter().copied().collect();
    while let Some(next) = waiting.pop() {
        if reached.insert(next) {
            waiting.extend(&uses[next]);
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::sample;

    fn count(files: &[(&str, &str)]) -> usize {
        let files: Vec<_> =
            files.iter().map(|(name, text)| sample(&format!("crates/a/src/{name}.rs"), text)).collect();
        faults(&files).len()
    }

    #[test]
    fn files_that_use_each_other_are_found_however_they_name_each_other() {
        let root = ("lib", "mod b; mod c;");
        for back in [
            "use crate::b::B;",
            "use super::b::B;",
            "use super::b::*;",
            "fn f(_: super::b::B) {}",
            "use super::b; fn f() { b::g() }",
        ] {
            assert_eq!(count(&[root, ("b", "use super::c::C; pub struct B;"), ("c", back)]), 1, "{back}");
        }
        assert_eq!(count(&[root, ("b", "use super::c::C;"), ("c", "pub struct C;")]), 0);
    }

    #[test]
    fn a_reexport_leads_to_where_a_name_is_defined_and_is_no_use_itself() {
        let lib = ("lib", "mod b; mod c; pub use b::B; pub use c::C;");
        assert_eq!(count(&[lib, ("b", "use crate::C; pub struct B;"), ("c", "pub struct C;")]), 0);
        assert_eq!(
            count(&[lib, ("b", "use crate::C; pub struct B;"), ("c", "use crate::B; pub struct C;")]),
            1
        );
    }

    #[test]
    fn a_parent_and_a_child_that_use_each_other_are_found() {
        let parent = "mod c; use self::c::C; pub struct B;";
        assert_eq!(count(&[("lib", "mod b;"), ("b", parent), ("b/c", "use super::B; pub struct C;")]), 1);
        assert_eq!(count(&[("lib", "mod b;"), ("b", parent), ("b/c", "pub struct C;")]), 0);
    }

    #[test]
    fn a_path_may_lead_up_more_than_one_folder() {
        let above = ("b", "mod c; use self::c::d::D; pub struct B;");
        let below = ("b/c/d", "use super::super::B; pub struct D;");
        assert_eq!(count(&[("lib", "mod b;"), above, ("b/c", "pub mod d;"), below]), 1);
    }

    #[test]
    fn a_child_that_goes_on_with_its_parents_type_is_one_with_it() {
        let parent = "mod c; fn f() { c::g() } pub struct B;";
        let child = "use super::B; impl B { fn h() {} } pub fn g() {}";
        assert_eq!(count(&[("lib", "mod b;"), ("b", parent), ("b/c", child)]), 0);
        let of_a_trait = "use super::B; impl Drop for B {} pub fn g() {}";
        assert_eq!(count(&[("lib", "mod b;"), ("b", parent), ("b/c", of_a_trait)]), 0);
    }

    #[test]
    fn what_only_tests_use_does_not_count() {
        let tests = "pub struct C; #[cfg(test)] mod tests { use crate::b::B; }";
        assert_eq!(
            count(&[("lib", "mod b; mod c;"), ("b", "use crate::c::C; pub struct B;"), ("c", tests)]),
            0
        );
    }
}
