//! Keeps subscriptions: one directory each, whose `subscription.json` is the subscription.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::durable;

use super::{FollowError, Progress, Subscription, SubscriptionName};
use crate::host::{Lock, Prefix, Wait};
use crate::json_file;
use crate::tree::names_in;

/// The file that makes a directory a subscription.
const SUBSCRIPTION: &str = "subscription.json";

/// The file with how far it is.
const PROGRESS: &str = "progress.json";

/// The subscriptions of a prefix.
#[derive(Debug, Clone)]
pub struct Subscriptions {
    directory: Utf8PathBuf,
}

impl Subscriptions {
    /// Names the subscriptions of `prefix`. Nothing needs to be there.
    pub fn of(prefix: &Prefix) -> Self {
        Self { directory: prefix.subscriptions() }
    }

    /// Takes the lock that is held while subscriptions are made and removed, and while a round writes how far they are.
    ///
    /// # Errors
    /// When it is held for too long.
    pub fn lock(&self, wait: Wait) -> Result<Lock, FollowError> {
        self.take(".lock", wait)
    }

    /// Takes the lock of a round: there is one at a time.
    ///
    /// # Errors
    /// When another one is under way for too long.
    pub fn lock_round(&self, wait: Wait) -> Result<Lock, FollowError> {
        self.take(".round.lock", wait)
    }

    fn take(&self, name: &str, wait: Wait) -> Result<Lock, FollowError> {
        let path = &self.directory;
        durable::create_dir_all(path.as_std_path()).map_err(FollowError::file("create", path))?;
        Ok(Lock::take(&path.join(name), wait, |_| {})?)
    }

    /// Lists the names of all subscriptions, those included that cannot be read.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn names(&self) -> Result<Vec<SubscriptionName>, FollowError> {
        let names = names_in(&self.directory).map_err(FollowError::file("read", &self.directory))?;
        let is_there = |name: &SubscriptionName| self.file(name, SUBSCRIPTION).exists();
        Ok(names.iter().filter_map(|name| name.parse().ok()).filter(is_there).collect())
    }

    /// Reads a subscription; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, name: &SubscriptionName) -> Result<Option<Subscription>, FollowError> {
        let path = self.file(name, SUBSCRIPTION);
        let Some(read) = json_file::read::<Subscription>(&path)? else { return Ok(None) };
        if !read.is_of_this_version() {
            return Err(FollowError::LaterVersion { path });
        }
        if read.name() != *name {
            let other = io::Error::new(io::ErrorKind::InvalidData, "it is the subscription of another");
            return Err(FollowError::file("read", &path)(other));
        }
        Ok(Some(read))
    }

    /// Reads how far a subscription is.
    ///
    /// # Errors
    /// When it cannot be read: what failed is not known then, and nothing may be tried.
    pub fn progress(&self, name: &SubscriptionName) -> Result<Progress, FollowError> {
        let path = self.file(name, PROGRESS);
        let read = json_file::read::<Progress>(&path)?.unwrap_or_default();
        if read.is_of_this_version() { Ok(read) } else { Err(FollowError::LaterVersion { path }) }
    }

    /// Adds a subscription, durably. A crash leaves none, or all of it.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn add(&self, subscription: &Subscription) -> Result<(), FollowError> {
        let name = subscription.name();
        let directory = self.directory.join(name.as_str());
        durable::create_dir_all(directory.as_std_path()).map_err(FollowError::file("create", &directory))?;
        // An earlier one may have been removed half.
        remove_file(&self.file(&name, PROGRESS))?;
        Ok(json_file::write(&self.file(&name, SUBSCRIPTION), subscription)?)
    }

    /// Removes a subscription, durably. A crash leaves it, or nothing that counts.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn remove(&self, name: &SubscriptionName) -> Result<(), FollowError> {
        remove_file(&self.file(name, SUBSCRIPTION))?;
        remove_file(&self.file(name, PROGRESS))?;
        let directory = self.directory.join(name.as_str());
        match std::fs::remove_dir(&directory) {
            // What somebody else put there stays.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) =>
            {
                Ok(())
            }
            removed => removed.map_err(FollowError::file("remove", &directory)),
        }
    }

    /// Writes down how far a subscription is, durably, unless it was removed meanwhile or nothing is new.
    ///
    /// # Errors
    /// When the file system refuses; it is then as it was.
    pub fn keep(&self, name: &SubscriptionName, progress: &Progress, wait: Wait) -> Result<(), FollowError> {
        let _lock = self.lock(wait)?;
        if !self.file(name, SUBSCRIPTION).exists()
            || self.progress(name).is_ok_and(|there| there == *progress)
        {
            return Ok(());
        }
        Ok(json_file::write(&self.file(name, PROGRESS), progress)?)
    }

    fn file(&self, name: &SubscriptionName, file: &str) -> Utf8PathBuf {
        self.directory.join(name.as_str()).join(file)
    }
}

fn remove_file(path: &Utf8Path) -> Result<(), FollowError> {
    let removed = match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed,
    };
    let sync = || durable::sync_directory(path.parent().unwrap_or(path).as_std_path());
    removed.and_then(|()| sync()).map_err(FollowError::file("remove", path))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::follow::{Follower, LastRound, Standing};
    use crate::generation::Actor;

    fn scene() -> (tempfile::TempDir, Subscriptions) {
        let directory = tempfile::tempdir().unwrap();
        let prefix = Prefix::at(Utf8Path::from_path(directory.path()).unwrap()).unwrap();
        (directory, Subscriptions::of(&prefix))
    }

    fn subscription() -> Subscription {
        let follower = Follower::Service { service: "1.web.prod.osl".parse().unwrap() };
        let channel = "com.example:web@stable".parse().unwrap();
        Subscription::new(follower, channel, Actor::of(0, &[].into()), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_subscription_is_kept_listed_and_removed_with_what_it_remembers() {
        let (_directory, all) = scene();
        let (one, name) = (subscription(), subscription().name());
        assert_eq!((all.names().unwrap(), all.read(&name).unwrap()), (Vec::new(), None));
        all.add(&one).unwrap();
        let mut progress = Progress::default();
        progress.last = Some(LastRound::well(Standing::Converged, Timestamp::UNIX_EPOCH));
        all.keep(&name, &progress, Wait::No).unwrap();
        assert_eq!((all.names().unwrap(), all.read(&name).unwrap()), (vec![name.clone()], Some(one.clone())));
        assert_eq!(all.progress(&name).unwrap(), progress);
        all.remove(&name).unwrap();
        all.keep(&name, &progress, Wait::No).unwrap();
        assert_eq!(all.names().unwrap(), []);
        all.add(&one).unwrap();
        assert_eq!(all.progress(&name).unwrap(), Progress::default());
    }

    #[test]
    fn what_a_crash_left_of_a_removal_counts_as_removed() {
        let (directory, all) = scene();
        all.add(&subscription()).unwrap();
        std::fs::remove_file(directory.path().join(".copkg/subscriptions/1.web.prod.osl/subscription.json"))
            .unwrap();
        assert_eq!(all.names().unwrap(), []);
    }

    #[test]
    fn a_half_written_record_is_an_error_that_names_it() {
        let (directory, all) = scene();
        all.add(&subscription()).unwrap();
        let path = directory.path().join(".copkg/subscriptions/1.web.prod.osl/progress.json");
        std::fs::write(path, "{\"schema_version\": 1, \"fai").unwrap();
        let error = all.progress(&subscription().name()).unwrap_err();
        assert!(error.to_string().ends_with("progress.json"), "{error}");
    }
}
