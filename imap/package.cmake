# The library as others install it: both layers in one static and one shared library, made of the very objects
# that the mount links. Nothing is visible of the shared one but what include/imap declares (test/package).
set_target_properties(imapcore imapnet PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
foreach(layer imapcore imapnet)
  target_compile_options(${layer} PRIVATE -fno-semantic-interposition)
endforeach()

add_library(imap_static STATIC $<TARGET_OBJECTS:imapcore> $<TARGET_OBJECTS:imapnet>)
add_library(imap_shared SHARED $<TARGET_OBJECTS:imapcore> $<TARGET_OBJECTS:imapnet>)
set_target_properties(imap_static imap_shared PROPERTIES OUTPUT_NAME imap LINKER_LANGUAGE C)
set_target_properties(imap_static PROPERTIES EXPORT_NAME static)
set_target_properties(imap_shared PROPERTIES EXPORT_NAME imap SOVERSION 0 VERSION ${PROJECT_VERSION})
set(imap_needs OpenSSL::SSL OpenSSL::Crypto PkgConfig::GSASL PkgConfig::ZLIB Threads::Threads)
target_link_libraries(imap_static PRIVATE ${imap_needs})
target_link_libraries(imap_shared PRIVATE ${imap_needs} imapfs_flags)
target_link_options(imap_shared PRIVATE -Wl,-Bsymbolic-functions)
if(NOT IMAPFS_SANITIZE) # a sanitizer's own functions come from the program
  target_link_options(imap_shared PRIVATE -Wl,-z,defs)
endif()
foreach(library imap_static imap_shared)
  target_include_directories(${library} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/imap)
configure_package_config_file(imapConfig.cmake.in imapConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(imapConfigVersion.cmake COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(imap.pc.in imap.pc @ONLY)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/imap DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h)
install(TARGETS imap_shared EXPORT imapTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS imap_static EXPORT imapStaticTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT imapTargets NAMESPACE imap:: DESTINATION ${package_dir})
install(EXPORT imapStaticTargets NAMESPACE imap:: DESTINATION ${package_dir})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/imapConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/imapConfigVersion.cmake
  DESTINATION ${package_dir})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/imap.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES imap.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3)
