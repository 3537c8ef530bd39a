//! A fresh ext4 file system for each run: an image in a file, mounted through a loop device.
//!
//! The file system of a machine that does other things as well is erratic; one that was made a moment ago is not. Needs
//! root and `mkfs.ext4`. What is left of a run that was killed: the mount and the image, in the directory that was named.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Result, run};

/// A mounted file system; gone when it is dropped.
#[derive(Debug)]
pub struct Image {
    file: PathBuf,
    mount: PathBuf,
}

impl Image {
    /// Makes an empty file system of `bytes` below `directory` and mounts it.
    ///
    /// # Errors
    /// When it cannot be made: nobody but root can.
    pub fn fresh(directory: &Path, bytes: u64) -> Result<Self> {
        let (file, mount) = (directory.join("image.ext4"), directory.join("mount"));
        fs::create_dir_all(&mount)?;
        File::create(&file)?.set_len(bytes)?;
        // Nothing is left for later: no lazy initialisation runs beside what is measured.
        let lazy = "lazy_itable_init=0,lazy_journal_init=0";
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-E", lazy, "-i", "8192"]).arg(&file))?;
        let image = Self { file, mount };
        image.mount()?;
        Ok(image)
    }

    fn mount(&self) -> Result<()> {
        run(Command::new("mount").args(["-o", "loop,noatime"]).arg(&self.file).arg(&self.mount)).map(drop)
    }

    /// Takes it away and mounts it again, as after a power cut.
    ///
    /// # Errors
    /// When somebody still uses it.
    pub fn remount(&self) -> Result<()> {
        run(Command::new("umount").arg(&self.mount))?;
        self.mount()
    }

    /// Returns where it is mounted.
    pub fn path(&self) -> &Path {
        &self.mount
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // A lazy one, if somebody still looks at it: the next image must not be mounted on top.
        if run(Command::new("umount").arg(&self.mount)).is_err() {
            let _ = run(Command::new("umount").arg("--lazy").arg(&self.mount));
        }
        let _ = fs::remove_file(&self.file);
    }
}
