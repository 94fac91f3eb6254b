find_package(spdlog REQUIRED)
target_link_libraries(sluice_base PRIVATE spdlog::spdlog)
