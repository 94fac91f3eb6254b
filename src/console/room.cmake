# Boost.Beast and Asio are headers only. The thread sanitizer does not know Asio's fences, which a
# single thread does not need.
target_compile_definitions(sluice_console PRIVATE BOOST_ASIO_DISABLE_FENCED_BLOCK)
