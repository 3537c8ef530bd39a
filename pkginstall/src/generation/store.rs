//! Keeps the generations of one service: made whole, switched by one rename, removed whole.

use std::fs;

use camino::Utf8PathBuf;
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::digest::Digest;

use super::series::{Series, read_json};
use super::{Draft, Generation, GenerationError, Number, Outcome, Trial};
use crate::host::Prefix;

/// The generations of one service.
#[derive(Debug, Clone)]
pub struct Generations {
    service: ServiceCoordinate,
    series: Series,
}

impl Generations {
    /// Names the generations of `service`. Nothing needs to be there.
    pub fn of(prefix: &Prefix, service: &ServiceCoordinate) -> Self {
        Self { service: service.clone(), series: Series::at(prefix.service_state(service)) }
    }

    /// Returns the service.
    pub fn service(&self) -> &ServiceCoordinate {
        &self.service
    }

    /// Returns the directory of generation `number`.
    pub fn path(&self, number: Number) -> Utf8PathBuf {
        self.series.path(number)
    }

    /// Returns the directory of the rendered configuration of generation `number`.
    pub fn etc(&self, number: Number) -> Utf8PathBuf {
        self.path(number).join("etc")
    }

    /// Returns the directory that holds what generation `number` wrote before it failed.
    pub fn log(&self, number: Number) -> Utf8PathBuf {
        self.path(number).join("log")
    }

    /// Returns the number of the generation that the service is; `None` where there is none yet.
    ///
    /// # Errors
    /// When the link cannot be read, or leads elsewhere.
    pub fn current_number(&self) -> Result<Option<Number>, GenerationError> {
        self.series.current_number()
    }

    /// Returns the generation that the service is; `None` where there is none yet.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn current(&self) -> Result<Option<Generation>, GenerationError> {
        self.current_number()?.map(|number| self.read(number)).transpose()
    }

    /// Reads generation `number`.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn read(&self, number: Number) -> Result<Generation, GenerationError> {
        let unknown = || GenerationError::Unknown { service: self.service.clone(), number };
        read_json(&self.series.file(number))?.ok_or_else(unknown)
    }

    /// Returns the digest of what is written of generation `number`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn digest(&self, number: Number) -> Result<Digest, GenerationError> {
        let path = self.series.file(number);
        fs::read(&path).map(|bytes| Digest::of(&bytes)).map_err(GenerationError::file("read", &path))
    }

    /// Reads what became of generation `number`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn outcome(&self, number: Number) -> Result<Outcome, GenerationError> {
        self.series.outcome(number)
    }

    /// Writes down what became of generation `number`, durably.
    ///
    /// # Errors
    /// When the file system refuses; it is then as it was.
    pub fn set_outcome(&self, number: Number, outcome: &Outcome) -> Result<(), GenerationError> {
        self.series.set_outcome(number, outcome)
    }

    /// Lists the numbers, in order.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn list(&self) -> Result<Vec<Number>, GenerationError> {
        self.series.list()
    }

    /// Finds the nearest ancestor of `number` that was good, by its parents; those that were removed end the search.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn last_good_ancestor(&self, number: Number) -> Result<Option<Generation>, GenerationError> {
        let there = self.list()?;
        let mut here = self.read(number)?;
        while let Some(parent) = here.parent.filter(|parent| *parent < here.number && there.contains(parent))
        {
            here = self.read(parent)?;
            if self.outcome(parent)?.state == Trial::Good {
                return Ok(Some(here));
            }
        }
        Ok(None)
    }

    /// Makes room for the next generation, and clears what an earlier attempt left there.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn draft(&self) -> Result<Draft<'_>, GenerationError> {
        let directory = self.series.begin()?;
        directory.make("etc", 0o700)?;
        Ok(Draft { generations: self, directory })
    }

    /// Makes the link that [`Self::switch_to`] will rename, so that the switch itself needs no space on the disk.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn prepare_switch(&self, number: Number) -> Result<(), GenerationError> {
        self.series.prepare_switch(number)
    }

    /// Makes generation `number` the one that the service is: one rename of a link.
    ///
    /// # Errors
    /// When the file system refuses; the link is then as it was.
    pub fn switch_to(&self, number: Number) -> Result<(), GenerationError> {
        self.series.switch_to(number)
    }

    /// Makes the service have no generation, as before its first start.
    ///
    /// # Errors
    /// When the file system refuses; the link is then as it was.
    pub fn switch_off(&self) -> Result<(), GenerationError> {
        self.series.switch_off()
    }

    /// Removes a link that was made and never needed.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn forget_switch(&self, number: Number) -> Result<(), GenerationError> {
        self.series.forget_switch(number)
    }

    /// Removes generation `number`. The current one must not be.
    ///
    /// # Errors
    /// When the file system refuses. What is left of it after a crash has no `generation.json` and counts as removed.
    pub fn remove(&self, number: Number) -> Result<(), GenerationError> {
        self.series.remove(number)
    }

    pub(super) fn series(&self) -> &Series {
        &self.series
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use camino::Utf8Path;
    use jiff::Timestamp;

    use super::*;
    use crate::generation::{Actor, Proposal};

    fn scene() -> (tempfile::TempDir, Generations) {
        let directory = tempfile::tempdir().unwrap();
        let prefix = Prefix::at(Utf8Path::from_path(directory.path()).unwrap()).unwrap();
        let generations = Generations::of(&prefix, &"1.web.prod.osl".parse().unwrap());
        (directory, generations)
    }

    fn proposal(parent: Option<Number>) -> Proposal {
        Proposal {
            parent,
            package: "com.example:web:1".parse().unwrap(),
            digest: Digest::of(b"package"),
            parameters: vec!["--port=1".into()],
            conditions: copkg_spec::conditions::Conditions::default(),
            directories: Vec::new(),
            asked: None,
            actor: Actor::of(0, &BTreeMap::new()),
            reason: "a test".into(),
            created: Timestamp::UNIX_EPOCH,
        }
    }

    fn make(generations: &Generations, parent: Option<Number>, outcome: Trial) -> Number {
        let made = generations.draft().unwrap().commit(proposal(parent)).unwrap().number;
        let outcome = Outcome { state: outcome, since: Timestamp::UNIX_EPOCH, why: None };
        generations.set_outcome(made, &outcome).unwrap();
        made
    }

    #[test]
    fn a_draft_is_nothing_until_it_has_a_number() {
        let (_directory, generations) = scene();
        let draft = generations.draft().unwrap();
        fs::write(draft.etc().join("web.conf"), "a").unwrap();
        drop(draft);
        assert_eq!(generations.list().unwrap(), []);
        let draft = generations.draft().unwrap();
        assert!(!draft.etc().join("web.conf").exists());
        fs::write(draft.etc().join("web.conf"), "b").unwrap();
        let made = draft.commit(proposal(None)).unwrap();
        assert_eq!(made.configuration["web.conf".parse().as_ref().unwrap()], Digest::of(b"b"));
        assert_eq!(generations.read(made.number).unwrap(), made);
        assert_eq!(generations.outcome(made.number).unwrap().state, Trial::Trial);
        assert_eq!(generations.current_number().unwrap(), None);
    }

    #[test]
    fn the_way_back_leads_over_the_failed_ones_to_a_good_one() {
        let (_directory, generations) = scene();
        let good = make(&generations, None, Trial::Good);
        let failed = make(&generations, Some(good), Trial::Failed);
        let last = make(&generations, Some(failed), Trial::Trial);
        assert_eq!(generations.last_good_ancestor(last).unwrap().unwrap().number, good);
        assert_eq!(generations.last_good_ancestor(good).unwrap(), None);
    }

    #[test]
    fn what_a_removal_that_was_cut_short_left_is_no_generation_and_goes_with_the_next_one() {
        let (_directory, generations) = scene();
        let first = make(&generations, None, Trial::Good);
        generations.switch_to(first).unwrap();
        let second = make(&generations, Some(first), Trial::Failed);
        fs::remove_file(generations.path(second).join("generation.json")).unwrap();
        assert_eq!(generations.list().unwrap(), [first]);
        let third = make(&generations, Some(first), Trial::Good);
        assert_eq!((third, generations.list().unwrap()), (second.next(), vec![first, third]));
        assert!(!generations.path(second).exists());
    }

    #[test]
    fn a_number_is_never_given_twice() {
        let (_directory, generations) = scene();
        let first = make(&generations, None, Trial::Good);
        generations.switch_to(first).unwrap();
        let second = make(&generations, Some(first), Trial::Failed);
        generations.remove(second).unwrap();
        assert_eq!(make(&generations, Some(first), Trial::Good), second.next());
        assert_eq!(generations.current_number().unwrap(), Some(first));
        assert!(matches!(generations.read(second), Err(GenerationError::Unknown { .. })));
    }
}
