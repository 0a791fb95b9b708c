//! Pure machines: the layer 2 responder.
