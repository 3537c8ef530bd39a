//! Installs copkg packages and runs their services.
